"""One training of linear classifiers, or of an encoder with one on top."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax

from byol_jax import (
  classify,
  inputs,
  loop,
  optimizers,
  parallel,
  schedules,
)
from byol_jax.augment import views
from byol_jax.data import memory, sources
from byol_jax.evaluation import features, scoring, subject
from byol_jax.networks import network
from byol_jax.types import Batch

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


class Split(NamedTuple):
  """Pictures, or what the frozen encoder made of them.

  Attributes:
    source: the pictures.
    cached: their features; None where they are computed each time.
  """

  source: sources.Source
  cached: features.Features | None


class Trainer(NamedTuple):
  """What all points of a sweep share.

  Attributes:
    config: a validated config of the protocol `classify`.
    tested: encoder and data.
  """

  config: ml_collections.ConfigDict
  tested: subject.Subject


class _Parts(NamedTuple):
  """The pure functions of one point, per device."""

  init: Callable[[], classify.State]
  step: classify.Update


def train(
  trainer: Trainer,
  point: Point,
  split: Split,
  valid: Split | None,
  workdir: str,
) -> classify.State:
  """Trains one point of a sweep, from its newest checkpoint if there is one.

  Args:
    trainer: what all points share.
    point: rates, decay and length.
    split: what to train on.
    valid: what to show a score of while training; None for nothing.
    workdir: folder of this point's checkpoints and metrics.

  Returns:
    The last state, replicated.

  Raises:
    ValueError: fewer pictures than a batch, or no steps after the warm-up.
    FloatingPointError: the loss of every head is not a number any more.
  """
  config = trainer.config
  plan = _plan(config, point, sources.size(split.source))
  parts = _make_parts(trainer, point, split, plan.num_steps)

  def evaluate(state):
    if valid is None:
      return {}
    metric = config.data.metric
    rows = score(trainer, state, valid)
    return {f"valid_{metric}": max(row[metric] for row in rows)}

  job = loop.Job(
    init=lambda: parallel.replicate(parts.init()),
    shapes=lambda: jax.eval_shape(parts.init),
    step=parallel.pmap(parts.step, donate=True),
    batches=lambda first_step: _train_batches(trainer, split, first_step),
    evaluate=evaluate,
    config_json=config.to_json_best_effort(),
  )
  state, _ = loop.run(job, plan, workdir)
  return state


def score(
  trainer: Trainer, state: classify.State, split: Split
) -> list[dict[str, float]]:
  """Scores each head on a split, every picture once on any number of devices.

  Args:
    trainer: what all points share.
    state: replicated.
    split: with labels.

  Returns:
    For each head what `scoring.scores` says of it.
  """
  net = None if split.cached else trainer.tested.net
  logits_of = parallel.pmap(classify.make_logits(net, _objective(trainer)))
  logits, labels = [], []
  for batch in _test_batches(trainer, split):
    mask = parallel.gather(batch.pop("mask"))
    labels.append(parallel.gather(batch.pop("labels"))[mask])
    logits.append(parallel.gather(logits_of(state, batch))[mask])
  logits, labels = np.concatenate(logits), np.concatenate(labels)
  metric = trainer.config.data.metric
  return [
    scoring.scores(logits[:, head], labels, metric)
    for head in range(logits.shape[1])
  ]


def _plan(config, point: Point, num_images: int) -> loop.Plan:
  batch_size = config.training.batch_size
  sources.steps_per_epoch(num_images, batch_size)

  def steps(epochs):
    return int(epochs * num_images // batch_size)

  def period(epochs):
    return max(1, steps(epochs)) if epochs else 0

  num_steps = config.training.num_steps or steps(point.num_epochs)
  if steps(config.training.warmup_epochs) >= num_steps:
    raise ValueError(
      f"training.num_epochs={point.num_epochs:g} of {num_images} pictures make"
      f" {num_steps} steps of {batch_size}, which leaves none after"
      f" training.warmup_epochs={config.training.warmup_epochs:g}."
    )
  return loop.Plan(
    num_steps=num_steps,
    images_per_step=batch_size,
    log_every=config.log_every,
    evaluate_every=period(config.evaluation.every_epochs),
    checkpoint_every=period(config.checkpoint.every_epochs),
    keep=config.checkpoint.keep,
  )


def _make_parts(
  trainer: Trainer, point: Point, split: Split, num_steps: int
) -> _Parts:
  """Builds everything that runs on the devices."""
  config, tested = trainer.config, trainer.tested
  frozen = config.training.frozen
  num_images = sources.size(split.source)
  warmup = config.training.warmup_epochs * num_images
  schedule = schedules.learning_rate(
    1.0, num_steps, int(warmup // config.training.batch_size)
  )
  heads_key, views_key = jax.random.split(jax.random.key(config.seed))
  variables = () if split.cached else tested.encoder.variables
  net = None if split.cached else _network(trainer, num_images)

  def optimizer(params):
    return _optimizer(config, point, schedule, params)

  def init():
    state = classify.State(
      step=jnp.zeros([], jnp.int32),
      encoder=variables,
      heads=classify.init_heads(
        heads_key,
        _dim(tested, split),
        len(tested.parts.class_names),
        len(point.learning_rates),
      ),
      opt_state=(),
    )
    params = classify.trained(state, frozen)
    return state._replace(opt_state=optimizer(params).init(params))

  def step(state, batch):
    if not split.cached:
      pair = tested.data.views
      make_views = views.view_maker(pair.where, pair.policies, pair.image_px)
      batch = make_views(batch, jax.random.fold_in(views_key, state.step))
    params = classify.trained(state, frozen)
    update = classify.make_update(
      net, optimizer(params), _objective(trainer), frozen
    )
    return update(state, batch)

  return _Parts(init, step)


def _network(trainer: Trainer, num_images: int) -> network.Network:
  """The encoder as it is trained, its averages perhaps slower."""
  config, spec = trainer.config, trainer.tested.encoder.spec
  if spec is None:
    return None
  if config.training.norm_decay_from_epoch:
    per_epoch = num_images // config.training.batch_size
    decay = max(1 - _NORM_STEPS / per_epoch, _MIN_NORM_DECAY)
    spec = spec._replace(norm_decay=decay)
  return network.make_encoder(spec, parallel.AXIS)


def _optimizer(
  config, point: Point, schedule: optax.Schedule, params: chex.ArrayTree
) -> optax.GradientTransformation:
  """SGD with each head's own rate; the encoder, if trained, has the first's."""
  scale = config.training.batch_size / _RATE_UNIT
  peaks = np.array(point.learning_rates, np.float32) * scale
  decay = point.weight_decay
  if config.optimizer.decay_over_rate:
    decay = decay / float(peaks[0])
  rates = {
    "heads": {"w": peaks[:, None, None], "b": peaks[:, None]},
  }
  decays = {"heads": {"w": decay, "b": 0.0}}
  if "encoder" in params:
    encoder = params["encoder"]
    rates["encoder"] = jax.tree.map(lambda x: float(peaks[0]), encoder)
    decays["encoder"] = jax.tree.map(
      lambda decayed: decay * decayed, optimizers.decayed(encoder)
    )
  return optimizers.sgd_sweep(
    schedule, rates, decays, config.optimizer.momentum
  )


def _objective(trainer: Trainer) -> classify.Objective:
  training = trainer.config.training
  return classify.Objective(
    multi_label=trainer.config.data.metric == "map11",
    label_smoothing=training.label_smoothing,
    logit_clip=training.logit_clip,
    logit_penalty=training.logit_penalty,
  )


def _dim(tested: subject.Subject, split: Split) -> int:
  """Width of the representation."""
  if split.cached:
    return split.cached.representation.shape[1]
  px = tested.encoder.image_px
  images = jax.ShapeDtypeStruct((1, px, px, 3), jnp.float32)
  outputs, _ = jax.eval_shape(
    lambda x: tested.net.apply(tested.encoder.variables, x, False), images
  )
  return outputs.representation.shape[1]


def _train_batches(
  trainer: Trainer, split: Split, first_step: int
) -> Iterator[Batch]:
  config, tested = trainer.config, trainer.tested
  batch_size = config.training.batch_size
  if not split.cached:
    data = tested.data._replace(train=split.source)
    return inputs.train_batches(data, config.seed, batch_size, first_step)
  known = split.cached
  rows = memory.train_batches(
    # Of the source only the number of pictures is used.
    sources.ArraySource(known.representation, known.labels, ()),
    tested.data.views,
    _reader(config.seed, batch_size),
    first_step,
  )
  return parallel.prefetch(
    rows, lambda row: parallel.shard(_rows(known, row["index"]))
  )


def _test_batches(
  trainer: Trainer, split: Split
) -> Iterator[dict[str, chex.Array]]:
  """`images` in [0, 1] or `features`, `labels` and `mask`, on the devices."""
  if not split.cached:
    for batch in subject.batches(trainer.tested, split.source):
      images = batch["images"].astype(np.float32) / 255.0
      kept = {"labels": batch["labels"], "mask": batch["mask"]}
      yield dict(parallel.shard({"images": images, **kept}))
    return
  reader = _reader(0, trainer.tested.batch_size)
  number = len(split.cached.labels)
  for index, mask in sources.evaluation_positions(reader, number):
    rows = _rows(split.cached, index)
    yield dict(parallel.shard({**rows, "mask": mask}))


def _rows(known: features.Features, index: np.ndarray) -> Mapping:
  return {
    "features": known.representation[index],
    "labels": known.labels[index],
  }


def _reader(seed: int, batch_size: int) -> sources.Reader:
  return sources.Reader(seed, batch_size, parallel.host(), parallel.num_hosts())
