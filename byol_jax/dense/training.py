"""One training of a dense task, on the loop that all trainings share."""

import json
from collections.abc import Mapping
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
  config = run.config
  optimizer = _optimizer(config, learning_rate)
  training = update.Training(
    run.encoder.spec,
    config.training.frozen,
    config.training.batch_statistics,
  )
  step = update.make_update(run.task.loss, optimizer, training)
  key = jax.random.key(config.seed)
  step_key = jax.random.fold_in(key, _STEP_KEY)

  def init():
    whole = run.task.init(jax.random.fold_in(key, _HEAD_KEY))
    _, head = update.split(whole, run.encoder.spec)
    start = jnp.zeros([], jnp.int32)
    state = update.State(start, run.encoder.variables, head, ())
    opt_state = optimizer.init(update.trained(state, training))
    return state._replace(opt_state=opt_state)

  def batches(first_step):
    return parallel.prefetch(
      run.task.train_batches(data.train, first_step), parallel.shard
    )

  job = jobs.Job(
    init=lambda: parallel.replicate(jax.jit(init)()),
    shapes=lambda: jax.eval_shape(init),
    step=parallel.pmap(
      lambda state, batch: step(
        state, batch, jax.random.fold_in(step_key, state.step)
      ),
      donate=True,
    ),
    batches=batches,
    evaluate=lambda state: _valid_scores(run, state, data),
    config_json=_described(config),
  )
  state, _ = loop.run(job, _plan(config), workdir)
  return state


def _described(config: ml_collections.ConfigDict) -> str:
  """The config without what only a test depends on, which may change."""
  tests = schema_dense.ONLY_TEST[config.protocol]
  return json.dumps(results.plain(config, tests))


def _valid_scores(run: Run, state: update.State, data: Data):
  """Scores of the held-out part, under names of their own."""
  if data.valid is None:
    return {}
  scores: Mapping[str, float] = run.task.evaluate(
    update.variables(state), data.valid
  )
  return {f"valid_{name}": value for name, value in scores.items()}


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
