"""The update, against the released implementation and its own invariants.

`data/released_update.npz` holds what a transcription of the released update
(deepmind-research, `byol`) computes on current JAX and Haiku, float32, two
devices; the original does not run there. It was written by hand from stored
copies of the files (4822a45, 500ffd8, 8457046), not checked against another
commit, and is not part of this project: the initial state, the state after
three updates and the logs of each, for its TinyResNet with heads 16/8, five
classes, batch 16, peak rate 0.05 after 2 of 10 steps, weight decay 1e-4 and
base target decay 0.99, on the pictures of `released_batches`.
"""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import byol, loss, optimizers, parallel, schedules
from byol_jax.networks import network
from byol_jax.types import Variables

SPEC = network.Spec(
  encoder="tiny_resnet",
  width_multiplier=1,
  stem="imagenet",
  zero_init_last_scale=False,
  encoder_norm="batch",
  norm_groups=16,
  weight_standardization=False,
  projector_hidden=(16,),
  predictor_hidden=(16,),
  projection_dim=8,
  projector_norm="batch",
  predictor_norm="batch",
  projector_output_norm=False,
  head_bias=False,
  predictor="mlp",
  num_classes=5,
  norm_decay=0.9,
  norm_epsilon=1e-5,
  mean_rgb=(0.485, 0.456, 0.406),
  std_rgb=(0.229, 0.224, 0.225),
)
NET = network.make_network(SPEC, parallel.AXIS)
RATES = byol.Schedules(
  schedules.learning_rate(0.05, 10, 2), schedules.target_decay(0.99, 10)
)
OPTIMIZER = optimizers.lars(RATES.learning_rate, 1e-4, 0.9, 1e-3)
RECORDED = np.load(pathlib.Path(__file__).parent / "data/released_update.npz")
LOG_NAMES = {
  "loss": "loss",
  "repr_loss": "regression_loss",
  "classif_loss": "classification_loss",
  "top1_accuracy": "train_top1",
  "learning_rate": "learning_rate",
  "tau": "target_decay",
}


def released_batches():
  rng = np.random.default_rng(7)

  def view():
    blocks = rng.random((2, 8, 8, 8, 3), np.float32)
    return blocks.repeat(8, 2).repeat(8, 3).reshape(16, 64, 64, 3)

  for _ in range(3):
    view1, view2 = view(), view()
    labels = rng.integers(0, 5, (2, 8)).astype(np.int32).reshape(16)
    yield {"view1": view1, "view2": view2, "labels": labels}


def recorded(name):
  tree = {}
  for key in RECORDED.files:
    where, *path = key.split("|")
    if where == name:
      tree.setdefault(path[0], {})[path[-1]] = RECORDED[key]
  return tree


def released_state():
  online = Variables(recorded("0/online_params"), recorded("0/online_state"))
  target = Variables(recorded("0/target_params"), recorded("0/target_state"))
  step = np.zeros([], np.int32)
  return byol.State(step, online, target, OPTIMIZER.init(online.params))


@functools.cache
def mapped(update, devices):
  """The tests share what was compiled."""
  return jax.pmap(
    lambda state, batch: update(state, batch, None),
    axis_name=parallel.AXIS,
    devices=jax.devices()[:devices],
  )


def run(update, state, batches, devices):
  """Applies updates on the first so many devices; state and all logs."""
  step = mapped(update, devices)

  def spread(x):
    return np.reshape(x, (devices, -1, *np.shape(x)[1:]))

  state = jax.tree.map(
    lambda x: np.broadcast_to(x, (devices, *np.shape(x))), state
  )
  logs = []
  for batch in batches:
    state, metrics = step(state, jax.tree.map(spread, batch))
    # Placed as a step leaves it, it would make the next one compile anew.
    state = jax.tree.map(np.asarray, state)
    logs.append(parallel.first(metrics))
  return jax.tree.map(lambda x: x[0], state), logs


@pytest.fixture(scope="module")
def trained():
  update = byol.make_update(NET, OPTIMIZER, RATES)
  return run(update, released_state(), released_batches(), 2)


@pytest.mark.parametrize(
  ("name", "get", "atol"),
  [
    ("3/online_params", lambda state: state.online.params, 1e-6),
    ("3/online_state", lambda state: state.online.stats, 1e-6),
    ("3/target_params", lambda state: state.target.params, 1e-6),
    ("3/target_state", lambda state: state.target.stats, 1e-6),
    # A gradient of the third step magnifies the rounding of the second.
    ("3/momentum", lambda state: state.opt_state[2].trace, 5e-6),
  ],
)
def test_three_updates_reproduce_the_released_code(trained, name, get, atol):
  got, expected = get(trained[0]), recorded(name)
  assert jax.tree.structure(got) == jax.tree.structure(expected)
  assert max(np.abs(x).max() for x in jax.tree.leaves(expected)) > 0.1
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=atol),
    got,
    expected,
  )


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("theirs", LOG_NAMES)
def test_logs_reproduce_the_released_code(trained, step, theirs):
  got = trained[1][step - 1][LOG_NAMES[theirs]]
  expected = RECORDED[f"{step}/logs|{theirs}"]
  np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_the_recorded_target_moved():
  start, end = recorded("0/target_params"), recorded("3/target_params")
  moved = jax.tree.map(lambda x, y: np.abs(x - y).max(), start, end)
  assert max(jax.tree.leaves(moved)) > 1e-4


# The invariants need no released network: one convolution compiles fast.
SMALL = network.make_network(
  SPEC._replace(encoder="one_conv", stem="cifar"), parallel.AXIS
)
STEEP = byol.Schedules(
  schedules.learning_rate(0.1, 10, 0), schedules.target_decay(0.9, 10)
)
SMALL_OPTIMIZER = optimizers.lars(STEEP.learning_rate, 1e-4, 0.9, 1e-3)
SMALL_UPDATE = byol.make_update(SMALL, SMALL_OPTIMIZER, STEEP)
SKIPPING = byol.make_update(
  SMALL, SMALL_OPTIMIZER, STEEP, loss.Settings(skips=True)
)


def small_batches(count=3, size=8):
  rng = np.random.default_rng(1)
  for _ in range(count):
    yield {
      "view1": rng.random((size, 8, 8, 3), np.float32),
      "view2": rng.random((size, 8, 8, 3), np.float32),
      "labels": rng.integers(0, 5, size).astype(np.int32),
    }


@jax.jit
@parallel.one_device
def small_init(images):
  return byol.init_state(SMALL, SMALL_OPTIMIZER, jax.random.key(0), images)


def small_state():
  images = jax.random.uniform(jax.random.key(1), (4, 8, 8, 3))
  return jax.tree.map(np.array, small_init(images))


def assert_trees_close(got, expected):
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5),
    got,
    expected,
  )


def test_one_device_equals_two():
  start = small_state()
  one, _ = run(SMALL_UPDATE, start, small_batches(), 1)
  two, _ = run(SMALL_UPDATE, start, small_batches(), 2)
  weights = "projector/linear"
  moved = one.online.params[weights]["w"] - start.online.params[weights]["w"]
  assert np.abs(moved).max() > 1e-5
  assert_trees_close(one, two)
  assert one.step == 3


def test_micro_batches_average_gradients():
  """Two equal halves give the gradient, hence the step, of one half."""
  batches = list(small_batches())
  doubled = [
    jax.tree.map(lambda x: np.concatenate([x, x]), batch) for batch in batches
  ]
  halves = byol.make_update(
    SMALL, SMALL_OPTIMIZER, STEEP, loss.Settings(num_micro_batches=2)
  )
  one, logs = run(SMALL_UPDATE, small_state(), batches, 1)
  two, doubled_logs = run(halves, small_state(), doubled, 1)
  assert_trees_close(two.online.params, one.online.params)
  assert_trees_close(two.target.params, one.target.params)
  counter = "projector/batch_norm/~/mean_ema"
  assert one.online.stats[counter]["counter"] == 6
  assert two.online.stats[counter]["counter"] == 12
  np.testing.assert_allclose(
    doubled_logs[2]["loss"], logs[2]["loss"], rtol=1e-4
  )


@pytest.mark.parametrize("value", [1.0, np.nan])
def test_a_step_is_left_out_if_and_only_if_it_is_not_finite(value):
  start = small_state()._replace(skipped=np.int32(0))
  # The last layer: a CPU's ReLU takes NaN for 0.
  last = start.online.params["predictor/linear_1"]
  last["w"] = last["w"] * np.float32(value)
  end, (logs,) = run(SKIPPING, start, small_batches(1), 1)
  bad = not np.isfinite(value)
  assert (end.step, end.skipped, logs["skipped_steps"]) == (1, bad, bad)
  assert np.isfinite(logs["loss"]) == np.isfinite(value)
  same = jax.tree.map(
    lambda x, y: np.array_equal(x, y, equal_nan=True),
    end._replace(step=0, skipped=0),
    start._replace(step=0, skipped=0),
  )
  if bad:
    assert all(jax.tree.leaves(same))
  else:
    assert not same.online.params["projector/linear"]["w"]
    assert not same.target.params["projector/linear"]["w"]


def test_moving_average_keeps_the_share_of_the_old():
  old, new = {"a": jnp.array([1.0, 2.0])}, {"a": jnp.array([3.0, -2.0])}
  got = byol.moving_average(old, new, 0.75)
  np.testing.assert_allclose(got["a"], [1.5, 1.0])


def test_target_follows_the_online_network_after_its_step():
  start = small_state()
  end, _ = run(SMALL_UPDATE, start, small_batches(1), 1)

  def weight(variables):
    return variables.params["projector/linear"]["w"]

  expected = 0.9 * weight(start.target) + 0.1 * weight(end.online)
  np.testing.assert_allclose(weight(end.target), expected, rtol=1e-6, atol=1e-7)
  assert np.abs(weight(end.online) - weight(start.online)).max() > 1e-5


def test_init_draws_target_and_online_apart():
  state = small_state()
  online, target = (
    variables.params["projector/linear"]["w"]
    for variables in (state.online, state.target)
  )
  assert np.abs(online).max() > 0.0
  assert np.abs(online - target).max() > 1e-3
  variance = state.online.stats["projector/batch_norm/~/var_ema"]["average"]
  assert np.all(variance > 0.0)


def test_unlabelled_batches_have_no_classifier():
  net = network.make_network(SPEC._replace(num_classes=0), parallel.AXIS)
  update = byol.make_update(net, OPTIMIZER, RATES)

  @parallel.one_device
  def step(batch):
    state = byol.init_state(net, OPTIMIZER, jax.random.key(0), batch["view1"])
    return update(state, batch, jax.random.key(1))

  batch = next(small_batches())
  del batch["labels"]
  _, logs = jax.eval_shape(step, batch)
  assert "regression_loss" in logs
  assert not {"train_top1", "classification_loss"} & set(logs)
