"""Turns a config into the parts of a run: network, optimizer, step counts."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import optax

from byol_jax import (
  byol,
  jobs,
  loss,
  objectives,
  optimizers,
  parallel,
  schedules,
  sharding,
)
from byol_jax.networks import network

# Base learning rates count per so many images (paper, "Optimization").
_RATE_UNIT = 256
# Parts of a batch that a CPU's program writes out: 64 would compile for long.
_MAX_UNROLLED = 16


class Durations(NamedTuple):
  """What the epochs of a config are in steps.

  Attributes:
    num_steps: of the whole run, epochs * images // batch as in the released
      code, whose epochs count the pictures that the last batch drops.
    num_schedule_steps: that the learning rate needs to reach 0.
    num_warmup_steps: of the learning rate.
    peak_rate: learning rate after the warm-up.
  """

  num_steps: int
  num_schedule_steps: int
  num_warmup_steps: int
  peak_rate: float


def network_spec(
  config: ml_collections.ConfigDict, num_classes: int
) -> network.Spec:
  """Shape of the network, as plain values."""
  return network.Spec(num_classes=num_classes, **config.network)


def make_network(
  config: ml_collections.ConfigDict, num_classes: int
) -> network.Network:
  """Online and target network, which compute as the config says."""
  return network.make_network(
    network_spec(config, num_classes),
    parallel.AXIS,
    config.training.compute_dtype,
  )


def settings(config: ml_collections.ConfigDict) -> loss.Settings:
  """Which member of the family of algorithms."""
  parts = config.training.micro_batches
  return loss.Settings(
    objective=objectives.Objective(**config.objective),
    predictor=config.network.predictor,
    target=config.target.kind,
    copied=config.target.starts_as_copy,
    num_micro_batches=parts,
    unrolled=parallel.is_cpu() and parts <= _MAX_UNROLLED,
    skips=config.training.max_skipped_steps > 0,
  )


def durations(config: ml_collections.ConfigDict, num_images: int) -> Durations:
  """Steps and scaled rate.

  Args:
    config: a validated config.
    num_images: size of the training split.

  Returns:
    The derived numbers.

  Raises:
    ValueError: the run is shorter than one step, its warm-up fills it, or it
      has more steps than a step's number can count.
  """
  training = config.training
  num_steps = int(training.num_epochs * num_images // training.batch_size)
  warmup = int(training.warmup_epochs * num_images // training.batch_size)
  if warmup >= num_steps:
    raise ValueError(
      f"training.num_epochs={training.num_epochs:g} of {num_images} images make"
      f" {num_steps} steps, which leaves none after {warmup} warm-up steps."
    )
  schedule_epochs = training.schedule_epochs or training.num_epochs
  schedule_steps = int(schedule_epochs * num_images // training.batch_size)
  if schedule_steps > jobs.MAX_STEPS:
    raise ValueError(
      f"{schedule_epochs:g} epochs of {num_images} images make {schedule_steps}"
      " steps: training.num_epochs and schedule_epochs may make"
      f" {jobs.MAX_STEPS}."
    )
  scale = training.batch_size / _RATE_UNIT
  peak_rate = config.optimizer.base_learning_rate * scale
  return Durations(
    num_steps=num_steps,
    num_schedule_steps=schedule_steps,
    num_warmup_steps=warmup,
    peak_rate=peak_rate,
  )


def plan(config: ml_collections.ConfigDict, num_images: int) -> jobs.Plan:
  """Periods of the loop, in steps."""
  batch_size = config.training.batch_size

  def period(epochs):
    return max(1, round(epochs * num_images / batch_size)) if epochs else 0

  return jobs.Plan(
    num_steps=durations(config, num_images).num_steps,
    images_per_step=batch_size,
    log_every=config.log_every,
    evaluate_every=period(config.evaluation.every_epochs),
    checkpoint_every=period(config.checkpoint.every_epochs),
    keep=config.checkpoint.keep,
    max_skipped=config.training.max_skipped_steps,
  )


def make_schedules(
  config: ml_collections.ConfigDict, lengths: Durations
) -> byol.Schedules:
  """Learning rate and target decay."""
  rate = schedules.learning_rate(
    lengths.peak_rate, lengths.num_schedule_steps, lengths.num_warmup_steps
  )
  return byol.Schedules(rate, _target_decay(config, lengths.num_steps))


def _target_decay(config, num_steps: int) -> optax.Schedule:
  """The share of the old target that a step keeps, whatever the target is."""
  if config.target.kind == "moving_average":
    if config.target.constant:
      return optax.constant_schedule(config.target.base_decay)
    return schedules.target_decay(config.target.base_decay, num_steps)
  return optax.constant_schedule(float(config.target.kind == "fixed"))


def make_optimizer(
  config: ml_collections.ConfigDict,
  learning_rate: optax.Schedule,
  shards: sharding.Sharding = sharding.NONE,
) -> optax.GradientTransformation:
  """LARS, SGD or AdamW, with the multipliers of the heads."""
  return optimizers.with_multipliers(
    _plain_optimizer(config, learning_rate, shards),
    {
      "projector": config.optimizer.projector_multiplier,
      "predictor": config.optimizer.predictor_multiplier,
    },
  )


def _plain_optimizer(config, learning_rate, shards):
  optimizer = config.optimizer
  if optimizer.name == "lars":
    return optimizers.lars(
      learning_rate,
      optimizer.weight_decay,
      optimizer.momentum,
      optimizer.trust_coefficient,
      optimizer.clip_trust,
      shards.total,
    )
  if optimizer.name == "sgd":
    return optimizers.sgd(
      learning_rate, optimizer.weight_decay, optimizer.momentum
    )
  return optimizers.adamw(learning_rate, optimizer.weight_decay)


def state_shapes(
  config: ml_collections.ConfigDict, num_classes: int
) -> byol.State:
  """Shapes of a run's state, which cost no computing.

  Args:
    config: a validated config.
    num_classes: of the training split, 0 when unlabelled.

  Returns:
    One replica, of `jax.ShapeDtypeStruct`.
  """
  net = make_network(config, num_classes)
  optimizer = make_optimizer(config, optax.constant_schedule(0.0))
  px = config.data.image_px
  return jax.eval_shape(
    parallel.one_device(
      lambda x: byol.init_state(
        net, optimizer, jax.random.key(0), x, settings(config)
      )
    ),
    jax.ShapeDtypeStruct((2, px, px, 3), jnp.float32),
  )


def make_sharding(
  config: ml_collections.ConfigDict, num_classes: int, hosts: sharding.Hosts
) -> sharding.Sharding:
  """Which devices share a state, if any do.

  Args:
    config: a validated config.
    num_classes: of the training split, 0 when unlabelled.
    hosts: whose devices train.
  """
  if not config.training.shard_state:
    return sharding.NONE
  like = state_shapes(config, num_classes)
  dtypes = network.weight_dtypes(
    like.online.params,
    network_spec(config, num_classes),
    config.training.compute_dtype,
  )
  return sharding.Sharding(hosts, like, dtypes)
