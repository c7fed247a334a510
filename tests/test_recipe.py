"""Steps, rates and decays of a sweep's points."""

import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import encoders
from byol_jax.evaluation import recipe, sweep
from configs.eval import finetune, linear, supervised

POINT = recipe.Point(learning_rates=(0.1,), weight_decay=0.0, num_epochs=30.0)


def _with(config, **changes):
  with config.unlocked():
    for key, value in changes.items():
      config.update_from_flattened_dict({key.replace("__", "."): value})
  return config


def test_linear_evaluation_trains_all_rates_at_once():
  (point,) = sweep.points(linear.get_config())
  assert point.learning_rates == (0.4, 0.3, 0.2, 0.1, 0.05)
  assert (point.weight_decay, point.num_epochs) == (0.0, 80.0)


def test_semi_supervised_sweep_is_rates_times_epochs():
  points = sweep.points(finetune.get_config("1percent"))
  assert len(set(points)) == len(points) == 10
  assert {point.num_epochs for point in points} == {30.0, 50.0}


def test_transfer_sweep_is_that_of_the_paper():
  config = finetune.get_config("transfer")
  points = sweep.points(config)
  rates = sorted({point.learning_rates[0] for point in points})
  decays = sorted({point.weight_decay for point in points})
  assert len(points) == 7 * 8
  np.testing.assert_allclose(rates, np.logspace(-4, -1, 7))
  np.testing.assert_allclose(decays, [0.0, *np.logspace(-6, -3, 7)])
  assert recipe.plan(config, points[0], 1020).num_steps == 20_000


def test_steps_are_those_of_imagenet():
  plan = recipe.plan(
    linear.get_config(), POINT._replace(num_epochs=80.0), 10240
  )
  assert (plan.num_steps, plan.evaluate_every, plan.checkpoint_every) == (
    *(800, 100, 1000),
  )


def test_more_steps_than_can_be_counted_are_refused():
  endless = POINT._replace(num_epochs=1e9)
  with pytest.raises(ValueError, match=r"1e\+09 of 10240 pictures make"):
    recipe.plan(linear.get_config(), endless, 10240)


def test_warm_up_is_linear_then_a_cosine():
  config = _with(supervised.get_config(), training__batch_size=10)
  factor = recipe.schedule(config, num_steps=100, num_images=100)
  np.testing.assert_allclose(factor(25), 0.5, rtol=1e-6)
  np.testing.assert_allclose(factor(75), 0.5, rtol=1e-6)


def test_warm_up_that_fills_the_run_is_refused():
  config = supervised.get_config()
  with pytest.raises(ValueError, match=r"4 steps of 1024 of 1024 pictures"):
    recipe.plan(config, POINT._replace(num_epochs=4.0), 1024)


@pytest.mark.parametrize(
  ("num_images", "decay"), [(256 * 20, 0.9), (256 * 1000, 0.99)]
)
def test_batch_norm_decay_follows_the_epoch(num_images, decay):
  spec = encoders.spec_of(finetune.get_config("transfer").network)
  found = recipe.encoder_spec(
    finetune.get_config("transfer"), spec, num_images
  ).norm_decay
  np.testing.assert_allclose(found, decay)
  same = recipe.encoder_spec(finetune.get_config("1percent"), spec, num_images)
  assert same == spec


def _first_update(config, params):
  """What one step subtracts at gradient zero, in units of the parameters."""
  point = recipe.Point((0.2,), weight_decay=0.01, num_epochs=1.0)
  optimizer = recipe.optimizer(config, point, lambda step: 1.0, params)
  zero = {key: _zeros(value) for key, value in params.items()}
  updates, _ = optimizer.update(zero, optimizer.init(params), params)
  return updates


def _zeros(tree):
  return {
    key: _zeros(value) if isinstance(value, dict) else jnp.zeros_like(value)
    for key, value in tree.items()
  }


@pytest.mark.parametrize(("over", "factor"), [(False, 0.2 * 4), (True, 1.0)])
def test_decay_may_be_divided_by_the_rate(over, factor):
  config = _with(
    finetune.get_config("1percent"), optimizer__decay_over_rate=over
  )
  params = {
    "heads": {"w": jnp.ones((1, 2, 3)), "b": jnp.ones((1, 3))},
    "encoder": {
      "conv": {"w": jnp.ones((2, 2))},
      "norm": {"scale": jnp.ones(2), "offset": jnp.ones(2)},
    },
  }
  updates = _first_update(config, params)
  # Nesterov's first step is 1.9 times the gradient; batch 1024 four times 256.
  wanted = -1.9 * 0.01 * factor
  np.testing.assert_allclose(updates["heads"]["w"], wanted, rtol=1e-5)
  np.testing.assert_allclose(updates["encoder"]["conv"]["w"], wanted, rtol=1e-5)
  np.testing.assert_array_equal(updates["heads"]["b"], 0.0)
  np.testing.assert_array_equal(updates["encoder"]["norm"]["scale"], 0.0)
