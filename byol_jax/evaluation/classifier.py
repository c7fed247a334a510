"""One training of linear classifiers, or of an encoder with one on top."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from byol_jax import classify, inputs, loop, parallel
from byol_jax.augment import views
from byol_jax.data import memory, sources
from byol_jax.evaluation import features, recipe, scoring, subject
from byol_jax.networks import network
from byol_jax.types import Batch


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


def train(
  trainer: Trainer,
  point: recipe.Point,
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
  plan = recipe.plan(config, point, sources.size(split.source))
  init, step = _make_parts(trainer, point, split, plan.num_steps)

  def evaluate(state):
    if valid is None:
      return {}
    metric = config.data.metric
    rows = score(trainer, state, valid)
    return {f"valid_{metric}": max(row[metric] for row in rows)}

  job = loop.Job(
    init=lambda: parallel.replicate(init()),
    shapes=lambda: jax.eval_shape(init),
    step=parallel.pmap(step, donate=True),
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
  logits_of = parallel.pmap(
    classify.make_logits(net, recipe.objective(trainer.config))
  )
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


def _make_parts(
  trainer: Trainer, point: recipe.Point, split: Split, num_steps: int
) -> tuple[Callable[[], classify.State], classify.Update]:
  """The first state on the host, and the update of each device."""
  config, tested = trainer.config, trainer.tested
  num_images, frozen = sources.size(split.source), config.training.frozen
  factor = recipe.schedule(config, num_steps, num_images)
  heads_key, views_key = jax.random.split(jax.random.key(config.seed))
  net = _trained_net(trainer, split)
  variables = () if split.cached else tested.encoder.variables
  make_views = _view_maker(trainer, split)

  def optimizer(state):
    params = classify.trained(state, frozen)
    return recipe.optimizer(config, point, factor, params), params

  def init():
    size = _dim(tested, split), len(tested.parts.class_names)
    heads = classify.init_heads(heads_key, *size, len(point.learning_rates))
    state = classify.State(jnp.zeros([], jnp.int32), variables, heads, ())
    transformation, params = optimizer(state)
    return state._replace(opt_state=transformation.init(params))

  def step(state, batch):
    batch = make_views(batch, jax.random.fold_in(views_key, state.step))
    update = classify.make_update(
      net, optimizer(state)[0], recipe.objective(config), frozen
    )
    return update(state, batch)

  return init, step


def _trained_net(trainer: Trainer, split: Split) -> network.Network | None:
  """The encoder in training, None where its features are known."""
  if split.cached:
    return None
  if trainer.config.training.frozen:
    return trainer.tested.net
  spec = recipe.encoder_spec(
    trainer.config, trainer.tested.encoder.spec, sources.size(split.source)
  )
  return network.make_encoder(spec, parallel.AXIS)


def _view_maker(trainer: Trainer, split: Split) -> Callable:
  """What the device does with a batch before the update."""
  if split.cached:
    return lambda batch, key: batch
  wanted = trainer.tested.data.views
  return views.view_maker(wanted.where, wanted.policies, wanted.image_px)


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
