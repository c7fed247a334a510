"""One training of a dense task, on the loop that all trainings share."""

import json
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import optax

from byol_jax import (
  encoders,
  jobs,
  loop,
  optimizers,
  parallel,
  schedules,
  schema_dense,
)
from byol_jax.data import annotated
from byol_jax.dense import task as tasks
from byol_jax.dense import update
from byol_jax.evaluation import results

# Folder of the training on all pictures, below that of a whole sweep.
FINAL = "train"
# What is drawn from the seed; an untrained encoder takes the seed's own key.
_HEAD_KEY, _STEP_KEY = 1, 2


class Run(NamedTuple):
  """What all trainings of a sweep share.

  Attributes:
    config: a validated config of a dense task.
    task: made of it.
    encoder: with variables.
  """

  config: ml_collections.ConfigDict
  task: tasks.Task
  encoder: encoders.Encoder


class Data(NamedTuple):
  """What a training sees.

  Attributes:
    train: to train on.
    valid: scored while training; None for nothing.
  """

  train: annotated.AnnotatedSource
  valid: annotated.AnnotatedSource | None


def train(
  run: Run, data: Data, learning_rate: float, workdir: str
) -> update.State:
  """Trains, from the newest checkpoint if there is one.

  Args:
    run: what all trainings share.
    data: what this one sees.
    learning_rate: after the warm-up.
    workdir: folder of the checkpoints and metrics.

  Returns:
    The last state, replicated.

  Raises:
    ValueError: fewer pictures than a batch, or one cannot be read.
    FloatingPointError: the loss is not a number any more.
    StoppedError: somebody asked for it, and everything is saved.
  """
  init = _make_init(run, learning_rate)
  job = jobs.Job(
    init=lambda: parallel.replicate(jax.jit(init)()),
    shapes=lambda: jax.eval_shape(init),
    step=_make_step(run, learning_rate),
    batches=lambda first_step: parallel.prefetch(
      run.task.train_batches(data.train, first_step), parallel.shard
    ),
    evaluate=lambda state: _valid_scores(run, state, data),
    config_json=_described(run.config),
  )
  state, _ = loop.run(job, _plan(run.config), workdir)
  return state


def _make_init(run: Run, learning_rate: float) -> Callable[[], update.State]:
  """The first state, of an encoder and a fresh head."""
  optimizer = _optimizer(run.config, learning_rate)
  key = jax.random.key(run.config.seed)

  def init():
    whole = run.task.init(jax.random.fold_in(key, _HEAD_KEY))
    _, head = update.split(whole, run.encoder.spec)
    start = jnp.zeros([], jnp.int32)
    state = update.State(start, run.encoder.variables, head, ())
    opt_state = optimizer.init(update.trained(state, _what(run)))
    return state._replace(opt_state=opt_state)

  return init


def _make_step(run: Run, learning_rate: float) -> Callable:
  """One step on all devices, with a key of its own."""
  optimizer = _optimizer(run.config, learning_rate)
  step = update.make_update(run.task.loss, optimizer, _what(run))
  key = jax.random.fold_in(jax.random.key(run.config.seed), _STEP_KEY)
  return parallel.pmap(
    lambda state, batch: step(
      state, batch, jax.random.fold_in(key, state.step)
    ),
    donate=True,
  )


def _what(run: Run) -> update.Training:
  training = run.config.training
  return update.Training(
    run.encoder.spec, training.frozen, training.batch_statistics
  )


def _described(config: ml_collections.ConfigDict) -> str:
  """The config without what only a test depends on, which may change."""
  tests = schema_dense.ONLY_TEST[config.protocol]
  return json.dumps(results.plain(config, tests))


def _valid_scores(run: Run, state: update.State, data: Data):
  """Scores of the held-out part, under names of their own."""
  if data.valid is None:
    return {}
  tested = run.task.evaluate(update.variables(state), data.valid)
  return {f"valid_{name}": value for name, value in tested.scores.items()}


def _optimizer(
  config: ml_collections.ConfigDict, learning_rate: float
) -> optax.GradientTransformation:
  """SGD with momentum; weight decay spares biases and norms."""
  training = config.training
  rate = schedules.stepwise(
    learning_rate,
    training.num_steps,
    training.warmup_steps,
    training.drops,
    training.drop_factor,
  )
  return optax.chain(
    optax.add_decayed_weights(
      config.optimizer.weight_decay, mask=optimizers.decayed
    ),
    optax.trace(decay=config.optimizer.momentum),
    optax.scale_by_learning_rate(rate),
  )


def _plan(config: ml_collections.ConfigDict) -> jobs.Plan:
  return jobs.Plan(
    num_steps=config.training.num_steps,
    images_per_step=config.training.batch_size,
    log_every=config.log_every,
    evaluate_every=config.evaluation.every_steps,
    checkpoint_every=config.checkpoint.every_steps,
    keep=config.checkpoint.keep,
  )
