"""What reaches a classifier: pictures, or features computed once."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import chex
import jax
import ml_collections
import numpy as np

from byol_jax import inputs, parallel
from byol_jax.augment import randaugment, views
from byol_jax.data import memory, sources
from byol_jax.evaluation import features, subject
from byol_jax.types import Batch

# Tells RandAugment's draws from those of views 1 and 2.
_RANDAUGMENT = 3


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


def view_maker(trainer: Trainer, split: Split) -> Callable:
  """What the device does with a batch before the update.

  Args:
    trainer: what all points share.
    split: what to train on.

  Returns:
    A function of a batch of `train_batches` and the step's key.
  """
  if split.cached:
    return lambda batch, key: batch
  wanted, augment = trainer.tested.data.views, trainer.config.augment
  crop = views.view_maker(wanted.where, wanted.policies, wanted.image_px)
  layers = augment.randaugment_layers
  if not layers:
    return crop

  def make(batch, key):
    batch = crop(batch, key)
    draws = views.uniforms(
      jax.random.fold_in(key, _RANDAUGMENT),
      batch["index"],
      (layers, randaugment.NUM_UNIFORMS),
    )
    images = randaugment.apply(
      batch["view1"], draws, augment.randaugment_magnitude
    )
    return {**batch, "view1": jax.lax.stop_gradient(images)}

  return make


def train_batches(
  trainer: Trainer, split: Split, first_step: int
) -> Iterator[Batch]:
  """Endless batches on the devices, from a step on.

  Args:
    trainer: what all points share.
    split: what to train on.
    first_step: step of the first batch.

  Returns:
    `features` and `labels`, or what `view_maker` makes the view of.
  """
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
    inputs.reader(config.seed, batch_size),
    first_step,
  )
  return parallel.prefetch(
    rows, lambda row: parallel.shard(_rows(known, row["index"]))
  )


def test_batches(
  trainer: Trainer, split: Split
) -> Iterator[dict[str, chex.Array]]:
  """One pass over a split on the devices.

  Args:
    trainer: what all points share.
    split: with labels.

  Yields:
    `images` float32 in [0, 1] or `features`, `labels`, and `mask`, which is
    False for padding.
  """
  if not split.cached:
    for batch in subject.batches(trainer.tested, split.source):
      images = batch["images"].astype(np.float32) / 255.0
      kept = {"labels": batch["labels"], "mask": batch["mask"]}
      yield dict(parallel.shard({"images": images, **kept}))
    return
  reader = inputs.reader(0, trainer.tested.batch_size)
  number = len(split.cached.labels)
  for index, mask in sources.evaluation_positions(reader, number):
    rows = _rows(split.cached, index)
    yield dict(parallel.shard({**rows, "mask": mask}))


def _rows(known: features.Features, index: np.ndarray) -> Mapping:
  return {
    "features": known.representation[index],
    "labels": known.labels[index],
  }
