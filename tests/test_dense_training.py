"""The training of a dense task, on a loss whose gradient is known."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import encoders, parallel
from byol_jax.dense import segmentation, training, update
from byol_jax.dense import task as tasks
from byol_jax.networks import dense, network
from byol_jax.types import Variables
from configs.eval import segmentation as configs
from tests import tiny_dense, tiny_network

SPEC = network.EncoderSpec(
  *(getattr(tiny_network.SPEC, x) for x in network.EncoderSpec._fields)
)
TRUNK = "tiny_res_net/~/initial_conv"
LAST = "tiny_res_net/~/block_group_3/~/conv"
HEAD = "head/~/linear"
PART = {TRUNK: "trunk", LAST: "last_group", HEAD: "head"}
# A warm-up of two of six steps, and a fall at half of them.
RATES = (0.0, 0.05, 0.1, 0.01, 0.01, 0.01)
# Of each step's four examples.
INPUTS = np.random.default_rng(0).uniform(1.0, 2.0, (6, 4)).astype(np.float32)


def _variables(modules):
  leaves = {"w": jnp.full((2, 3), 0.5), "b": jnp.full(3, 0.25)}
  return Variables(
    params={module: dict(leaves) for module in modules},
    stats={module: {"batches": jnp.zeros([])} for module in modules},
  )


def _loss(variables, batch, key, modes):
  """Every parameter's gradient is the mean of the inputs."""
  total = sum(x.sum() for x in jax.tree.leaves(variables.params))
  stats = {
    module: {"batches": leaves["batches"] + getattr(modes, PART[module])}
    for module, leaves in variables.stats.items()
  }
  draw = jax.random.uniform(key)
  return jnp.mean(batch["x"]) * total, (stats, {"draw": draw})


def _config(frozen):
  config = configs.get_config("pairs")
  values = {
    "log_every": 1,
    "training.frozen": frozen,
    "training.batch_size": 4,
    "training.num_steps": 6,
    "training.warmup_steps": 2,
    "training.drops": (0.5,),
    "training.drop_factor": 0.1,
    "optimizer.weight_decay": 0.2,
    "optimizer.momentum": 0.75,
    "checkpoint.every_steps": 0,
  }
  with config.unlocked():
    config.update_from_flattened_dict(values)
  return config


def _train(frozen, workdir):
  task = tasks.Task(
    init=lambda key: _variables(PART),
    loss=_loss,
    train_batches=lambda source, step: ({"x": x} for x in source[step:]),
    evaluate=lambda variables, source: tasks.Tested({}),
    draw=lambda variables, source, folder: None,
    metric="none",
    higher_is_better=True,
  )
  encoder = encoders.Encoder("e", SPEC, 8, _variables((TRUNK, LAST)), {})
  run = training.Run(_config(frozen), task, encoder)
  return training.train(run, training.Data(INPUTS, None), 0.1, str(workdir))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
  """Parameters, statistics and records where the trunk is frozen."""
  workdir = tmp_path_factory.mktemp("trained")
  found = parallel.first(update.variables(_train("trunk", workdir)))
  lines = (workdir / "metrics.jsonl").read_text().splitlines()
  return found, [json.loads(line) for line in lines]


def _after(start, weight_decay):
  """One parameter under SGD with momentum, step by step."""
  value, velocity = start, 0.0
  for inputs, rate in zip(INPUTS, RATES, strict=True):
    velocity = inputs.mean() + weight_decay * value + 0.75 * velocity
    value = value - rate * velocity
  return value


@pytest.mark.parametrize("module", [LAST, HEAD])
@pytest.mark.parametrize(("name", "decay"), [("w", 0.2), ("b", 0.0)])
def test_weights_follow_sgd_with_momentum_and_decay(
  trained, module, name, decay
):
  start = {"w": 0.5, "b": 0.25}[name]
  found = trained[0].params[module][name]
  assert abs(_after(start, decay) - start) > 0.1
  np.testing.assert_allclose(
    found, np.full_like(found, _after(start, decay)), rtol=1e-5
  )


def test_what_is_frozen_stays(trained):
  found, start = trained[0].params[TRUNK], _variables((TRUNK,)).params[TRUNK]
  jax.tree.map(np.testing.assert_array_equal, found, start)


def test_norms_follow_batches_only_where_something_is_trained(trained):
  counts = {module: x["batches"] for module, x in trained[0].stats.items()}
  assert counts == {TRUNK: 0.0, LAST: 6.0, HEAD: 6.0}


def test_every_step_draws_anew(trained):
  draws = [line["draw"] for line in trained[1]]
  assert len(set(draws)) == 6


@pytest.mark.parametrize(
  ("frozen", "follows", "expected"),
  [
    ("none", True, dense.Modes(True, True, True)),
    ("trunk", True, dense.Modes(False, True, True)),
    ("encoder", True, dense.Modes(False, False, True)),
    ("none", False, dense.Modes(False, False, True)),
  ],
)
def test_modes_are_of_what_is_trained(frozen, follows, expected):
  assert update.modes(update.Training(SPEC, frozen, follows)) == expected


def _loss_text(config):
  """The loss of a segmentation as JAX sees it."""
  spec = encoders.spec_of(config.network)
  task = segmentation.make(config, spec)
  side = tiny_dense.SIDE
  batch = {
    "images": jnp.zeros((2, side, side, 3), jnp.uint8),
    "masks": jnp.zeros((2, side, side), jnp.uint8),
  }

  def loss(variables):
    return task.loss(variables, batch, None, dense.TRAINING)[0]

  variables = jax.eval_shape(task.init, jax.random.key(0))
  return str(jax.make_jaxpr(parallel.one_device(loss))(variables))


def test_segmentation_is_trained_in_the_type_that_is_asked_for(tmp_path):
  tiny_dense.write(tmp_path, count=1)
  plain, half = (
    _loss_text(tiny_dense.config(tmp_path, training__compute_dtype=dtype))
    for dtype in ("float32", "bfloat16")
  )
  assert "bf16" not in plain
  assert "bf16" in half
