import numpy as np
import pytest
import tiny

from byol_jax import assembly


def _config(**changes):
  return tiny.config(
    **{
      "training__batch_size": 64,
      "training__num_epochs": 10.0,
      "training__warmup_epochs": 1.0,
      "evaluation__every_epochs": 2.5,
      "checkpoint__every_epochs": 0.0,
      "log_every": 7,
      **changes,
    }
  )


def test_plan_counts_periods_in_steps():
  plan = assembly.plan(_config(), 1000)
  # 1000 / 64 = 15.625 steps an epoch.
  assert plan.num_steps == 156
  assert plan.evaluate_every == 39
  assert plan.checkpoint_every == 0
  assert (plan.log_every, plan.keep, plan.images_per_step) == (7, 2, 64)


def test_a_period_is_a_step_at_least():
  plan = assembly.plan(_config(checkpoint__every_epochs=1e-6), 1000)
  assert plan.checkpoint_every == 1


def test_durations_scale_the_rate():
  config = _config(optimizer__base_learning_rate=0.2)
  lengths = assembly.durations(config, 1000)
  assert lengths.num_warmup_steps == 15
  np.testing.assert_allclose(lengths.peak_rate, 0.05)


@pytest.mark.parametrize(("epochs", "warmup"), [(0.05, 0.0), (1.0, 1.0)])
def test_a_run_without_steps_is_refused(epochs, warmup):
  config = _config(training__num_epochs=epochs, training__warmup_epochs=warmup)
  with pytest.raises(ValueError, match="which leaves none after"):
    assembly.durations(config, 1000)


@pytest.mark.parametrize("key", ["num_epochs", "schedule_epochs"])
def test_more_steps_than_can_be_counted_are_refused(key):
  # 1000 / 64 steps an epoch: 2**31 steps are 137,438,953.5 epochs.
  assembly.durations(_config(**{f"training__{key}": 137_438_953.0}), 1000)
  config = _config(**{f"training__{key}": 137_438_954.0})
  with pytest.raises(ValueError, match=r"steps: training\.num_epochs and"):
    assembly.durations(config, 1000)


def test_schedules_follow_the_plan():
  config = _config(optimizer__base_learning_rate=0.2, target__base_decay=0.9)
  made = assembly.make_schedules(config, assembly.durations(config, 1000))
  np.testing.assert_allclose(made.learning_rate(15), 0.05, rtol=1e-6)
  np.testing.assert_allclose(made.learning_rate(156), 0.0, atol=1e-9)
  np.testing.assert_allclose(made.target_decay(0), 0.9, rtol=1e-6)
  np.testing.assert_allclose(made.target_decay(156), 1.0)


def test_a_constant_target_decay_stays():
  config = _config(target__constant=True, target__base_decay=0.9)
  made = assembly.make_schedules(config, assembly.durations(config, 1000))
  np.testing.assert_allclose(made.target_decay(100), 0.9, rtol=1e-6)


@pytest.mark.parametrize("name", ["lars", "sgd", "adamw"])
def test_optimizer_is_the_named_one(name):
  params = {"net": {"w": np.ones((2, 2), np.float32)}}
  grads = {"net": {"w": np.full((2, 2), 0.5, np.float32)}}
  config = _config(
    optimizer__name=name,
    optimizer__weight_decay=0.1,
    optimizer__trust_coefficient=0.01,
  )
  optimizer = assembly.make_optimizer(config, lambda step: 2.0)
  updates, _ = optimizer.update(grads, optimizer.init(params), params)
  # Gradient and decay are 0.6. LARS gives it the length 0.01 * |w|; AdamW's
  # first step is the sign of the gradient, plus the decay.
  expected = {"lars": -2.0 * 0.01, "sgd": -2.0 * 0.6, "adamw": -2.0 * 1.1}
  np.testing.assert_allclose(updates["net"]["w"], expected[name], rtol=1e-5)
