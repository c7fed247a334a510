"""What one point of a sweep is trained with: steps, rates, objective."""

from typing import NamedTuple

import chex
import jax
import ml_collections
import numpy as np
import optax

from byol_jax import classify, jobs, optimizers, schedules
from byol_jax.data import sources
from byol_jax.networks import network

# Base learning rates count per so many images (paper, "Optimization").
_RATE_UNIT = 256
# BN decay max(1 - 10 / s, 0.9), s the steps of an epoch (paper, "Transfer").
_NORM_STEPS, _MIN_NORM_DECAY = 10, 0.9


class Point(NamedTuple):
  """One point of a sweep.

  Attributes:
    learning_rates: base rates, per 256 images, one a head.
    weight_decay: of the gradient; with `optimizer.decay_over_rate` it is
      divided by the learning rate first.
    num_epochs: over the training pictures; unused with `training.num_steps`.
  """

  learning_rates: tuple[float, ...]
  weight_decay: float
  num_epochs: float


def plan(
  config: ml_collections.ConfigDict, point: Point, num_images: int
) -> jobs.Plan:
  """Length and periods, in steps.

  Args:
    config: a validated config of the protocol `classify`.
    point: of its sweep.
    num_images: to train on.

  Raises:
    ValueError: fewer pictures than a batch, no steps after the warm-up, or
      more steps than a step's number can count.
  """
  batch_size = config.training.batch_size
  sources.steps_per_epoch(num_images, batch_size)

  num_steps = config.training.num_steps
  num_steps = num_steps or _steps(config, point.num_epochs, num_images)
  warmup_epochs = config.training.warmup_epochs
  if _steps(config, warmup_epochs, num_images) >= num_steps:
    raise ValueError(
      f"{num_steps} steps of {batch_size} of {num_images} pictures leave none"
      f" after training.warmup_epochs={warmup_epochs:g}: raise"
      " training.num_epochs."
    )
  if num_steps > jobs.MAX_STEPS:
    raise ValueError(
      f"training.num_epochs={point.num_epochs:g} of {num_images} pictures make"
      f" {num_steps} steps: at most {jobs.MAX_STEPS} can be counted."
    )
  evaluate_every = _steps(config, config.evaluation.every_epochs, num_images)
  return jobs.Plan(
    num_steps=num_steps,
    images_per_step=batch_size,
    log_every=config.log_every,
    evaluate_every=evaluate_every,
    checkpoint_every=config.checkpoint.every_steps,
    keep=config.checkpoint.keep,
  )


def schedule(
  config: ml_collections.ConfigDict, num_steps: int, num_images: int
) -> optax.Schedule:
  """Factor on the rates: a cosine from 1 to 0, after a warm-up if there is."""
  warmup = _steps(config, config.training.warmup_epochs, num_images)
  return schedules.learning_rate(1.0, num_steps, warmup)


def optimizer(
  config: ml_collections.ConfigDict,
  point: Point,
  factor: optax.Schedule,
  params: chex.ArrayTree,
) -> optax.GradientTransformation:
  """SGD with each head's own rate; the encoder, if trained, has the first's.

  Args:
    config: a validated config of the protocol `classify`.
    point: of its sweep.
    factor: from `schedule`.
    params: from `classify.trained`, of which only the structure counts.
  """
  scale = config.training.batch_size / _RATE_UNIT
  peaks = np.array(point.learning_rates, np.float32) * scale
  decay = point.weight_decay
  if config.optimizer.decay_over_rate:
    decay = decay / float(peaks[0])
  rates = {"heads": {"w": peaks[:, None, None], "b": peaks[:, None]}}
  decays = {"heads": {"w": decay, "b": 0.0}}
  if "encoder" in params:
    encoder = params["encoder"]
    rates["encoder"] = jax.tree.map(lambda x: float(peaks[0]), encoder)
    decays["encoder"] = jax.tree.map(
      lambda decayed: decay * decayed, optimizers.decayed(encoder)
    )
  return optimizers.sgd_sweep(factor, rates, decays, config.optimizer.momentum)


def objective(config: ml_collections.ConfigDict) -> classify.Objective:
  """The loss that a config asks for."""
  training = config.training
  return classify.Objective(
    multi_label=config.data.metric == "map11",
    label_smoothing=training.label_smoothing,
    logit_clip=training.logit_clip,
    logit_penalty=training.logit_penalty,
  )


def encoder_spec(
  config: ml_collections.ConfigDict, spec: network.EncoderSpec, num_images: int
) -> network.EncoderSpec:
  """The encoder as it is trained: its averages may be slower (paper)."""
  if not config.training.norm_decay_from_epoch:
    return spec
  per_epoch = sources.steps_per_epoch(num_images, config.training.batch_size)
  decay = max(1.0 - _NORM_STEPS / per_epoch, _MIN_NORM_DECAY)
  return spec._replace(norm_decay=decay)


def _steps(
  config: ml_collections.ConfigDict, epochs: float, num_images: int
) -> int:
  return int(epochs * num_images // config.training.batch_size)
