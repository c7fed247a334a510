"""Opens the data that a config names and puts batches onto the devices."""

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import NamedTuple

import ml_collections
import numpy as np

from byol_jax import parallel
from byol_jax.augment import policies, sets
from byol_jax.data import (
  identity,
  memory,
  opening,
  problems,
  selection,
  sources,
)
from byol_jax.types import Batch


class Inputs(NamedTuple):
  """The pictures of a run.

  Attributes:
    train: source of the training split.
    test: source of the test split, None without one.
    views: how pictures become views.
    num_classes: 0 when unlabelled.
    reads: `data.memory` or `data.pipeline`, which make batches of the sources.
    digest: of the training split (`data.identity`); empty where nobody asks.
  """

  train: sources.Source
  test: sources.Source | None
  views: sources.Views
  num_classes: int
  reads: ModuleType
  digest: str = ""


def open_inputs(config: ml_collections.ConfigDict) -> Inputs:
  """Opens the training and the test split.

  Args:
    config: a validated config.

  Returns:
    The opened splits; decoded into memory only if `data.views` says so.

  Raises:
    ValueError: the data is missing, empty or corrupt, or a label is no class,
      in one sentence.
  """
  train = _with_access(_open_train(config.data), config.data)
  if config.data.train_images:
    train = _some(train, config.data.train_images)
  test = _open_test(config.data, train)
  views = make_views(config)
  if views.where == "memory":
    reads, train, test = memory, memory.pooled(train), memory.pooled(test)
    for part in filter(None, (train, test)):
      problems.check_labels(part.labels, part.class_names)
  else:
    # TensorFlow takes seconds to import: only those who need it wait.
    from byol_jax.data import pipeline as reads
  num_classes = len(train.class_names) if config.data.labelled else 0
  digest = identity.digest([train])
  return Inputs(train, test, views, num_classes, reads, digest)


def make_views(config: ml_collections.ConfigDict) -> sources.Views:
  """How a config's pictures become views."""
  view1, view2 = (
    policies.Policy(**config.augment[name]) for name in ("view1", "view2")
  )
  return sources.Views(
    sets.apply(config.augment.set, view1, view2),
    config.data.image_px,
    config.data.views,
  )


def check_hosts(digest: str) -> None:
  """Compares what the hosts have opened; every host must call it.

  Args:
    digest: from `identity.digest`.

  Raises:
    ValueError: some have other pictures than host 0, whose order would then be
      another.
  """
  seen = parallel.everywhere(int(digest[:7], 16))
  others = np.flatnonzero(seen != seen[0]).tolist()
  if others:
    raise ValueError(
      f"Hosts {others} see other pictures than host 0: all need the same files"
      " at the same place, and all must be able to read them."
    )


def size_and_classes(config: ml_collections.ConfigDict) -> tuple[int, int]:
  """Number of training pictures and of classes (0 when unlabelled).

  Raises:
    ValueError: as `open_inputs`, but that some TFDS sets need not be there.
  """
  data = config.data
  if data.source == "tfds":
    from byol_jax.data import tfds_source

    num_images, num_classes = tfds_source.size_and_classes(
      data.tfds_name, data.train_split, data.data_dir, data.labelled
    )
  else:
    train = _open_train(data)
    num_images = sources.size(train)
    num_classes = len(train.class_names) if data.labelled else 0
  _check_count(data.train_images, num_images)
  return data.train_images or num_images, num_classes


def train_batches(
  inputs: Inputs, seed: int, batch_size: int, first_step: int
) -> Iterator[Batch]:
  """Training batches on the devices, from a step on, without end.

  Args:
    inputs: the opened data.
    seed: of the order and the host's draws.
    batch_size: images a step, all devices together.
    first_step: step of the first batch.

  Returns:
    What the views are made of, [local_devices, batch, ...]; with
    `views.where == "memory"` the whole pool is part of every batch.
  """
  batches = inputs.reads.train_batches(
    inputs.train, inputs.views, reader(seed, batch_size), first_step
  )
  pool = {}
  if inputs.views.where == "memory":
    pool = parallel.replicate(memory.pool(inputs.train))
  return parallel.prefetch(batches, lambda x: {**pool, **parallel.shard(x)})


def eval_batches(
  inputs: Inputs,
  source: sources.Source,
  batch_size: int,
  geometry: sources.Geometry | None = None,
) -> Iterator[Mapping[str, np.ndarray]]:
  """One pass over a split in order, this host's share, on the host.

  Args:
    inputs: the opened data.
    source: the split.
    batch_size: images a batch, all devices together.
    geometry: what is shown of each picture; None for the reader's own.

  Returns:
    Batches, as `reads.eval_batches` yields them.
  """
  return inputs.reads.eval_batches(
    source,
    inputs.views.image_px,
    reader(0, batch_size),
    geometry or inputs.reads.GEOMETRY,
  )


def subset(source: sources.Source, count: int, seed: int) -> sources.Source:
  """Some pictures of a source, the same for the same seed.

  Args:
    source: any; of a stream, all is returned: its reader has to stop early.
    count: how many, at most.
    seed: of the choice.

  Returns:
    A source of `min(count, size)` pictures.
  """
  size = sources.size(source)
  if count >= size or isinstance(source, sources.StreamSource):
    return source
  chosen = np.random.default_rng(seed).permutation(size)[:count]
  return selection.select(source, chosen)


def reader(seed: int, batch_size: int) -> sources.Reader:
  """This host, as the one who reads.

  Args:
    seed: of the order and of the draws.
    batch_size: images a step, all hosts together.
  """
  return sources.Reader(seed, batch_size, parallel.host(), parallel.num_hosts())


def _with_access(source: sources.Source, data) -> sources.Source:
  """A stream that some pictures are to be picked out of, if it is pooled."""
  picks = 0 < data.train_images < sources.size(source)
  if not picks or not isinstance(source, sources.StreamSource):
    return source
  if data.views != "memory":
    raise ValueError(
      f"data.train_images={data.train_images} cannot be picked out of a "
      "TFRecord data set: set data.views to memory, or prepare the set as "
      "array_record."
    )
  return opening.with_access(source, data.views)


def _some(source: sources.Source, count: int) -> sources.Source:
  """The same pictures for every seed, so that runs can be compared."""
  size = sources.size(source)
  _check_count(count, size)
  if count == size:
    return source
  chosen = np.random.default_rng(0).permutation(size)[:count]
  return selection.select(source, np.sort(chosen))


def _check_count(count: int, size: int) -> None:
  if count > size:
    raise ValueError(
      f"data.train_images={count} is more than the {size} training pictures."
    )


def _open_train(data) -> sources.Source:
  return opening.open_part(data, "train", _labels(data))


def _open_test(data, train: sources.Source) -> sources.Source | None:
  """The test split where the config names one."""
  if not opening.is_named(data, "test"):
    return None
  return opening.open_part(data, "test", _labels(data), train.class_names)


def _labels(data) -> str:
  return "one" if data.labelled else "none"
