"""Batches of annotated pictures: NumPy and Pillow in threads.

As elsewhere, order and draws are functions of (seed, epoch, index): training
goes on at any step as if it had never stopped.
"""

import collections
import concurrent.futures
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from byol_jax.data import annotated, sources

# Of the draws of an example and of a step.
_EXAMPLE, _STEP = 1, 2
_PREPARED_BATCHES = 2


class Draw(NamedTuple):
  """The random numbers of one example.

  Attributes:
    example: its own.
    step: the same for all examples of a step, on all hosts.
  """

  example: np.random.Generator
  step: np.random.Generator


# From the picture [height, width, 3] uint8, its target and the draw.
TrainPrepare = Callable[[np.ndarray, Any, Draw], dict[str, np.ndarray]]
EvalPrepare = Callable[[np.ndarray, Any], dict[str, np.ndarray]]


def train_batches(
  source: annotated.AnnotatedSource,
  prepare: TrainPrepare,
  reader: sources.Reader,
  start_step: int,
) -> Iterator[dict[str, np.ndarray]]:
  """Endless training batches, this host's share, in an order by the seed.

  Args:
    source: the pictures.
    prepare: to arrays, of equal shapes for all examples of a step.
    reader: who reads.
    start_step: the step that the first batch belongs to.

  Yields:
    What `prepare` returns, with a leading axis, and `index` int32.

  Raises:
    ValueError: a batch is larger than the data set, the hosts cannot share it
      equally, or a picture or its target cannot be read.
  """
  sources.steps_per_epoch(source.num_images, reader.batch_size)
  sources.local_size(reader)

  def make(place):
    step, epoch, index = place
    draw = Draw(
      _generator(reader.seed, _EXAMPLE, epoch, index),
      _generator(reader.seed, _STEP, step),
    )
    made = prepare(*source.read(index), draw)
    return {**made, "index": np.int32(index)}

  places = _train_places(source, reader, start_step)
  yield from _batched(make, places, sources.local_size(reader))


def eval_batches(
  source: annotated.AnnotatedSource,
  prepare: EvalPrepare,
  reader: sources.Reader,
) -> Iterator[dict[str, np.ndarray]]:
  """One pass over all pictures in order, padded at the end.

  Args:
    source: the pictures.
    prepare: to arrays, of equal shapes for all pictures.
    reader: who reads; over all hosts each picture comes exactly once.

  Yields:
    What `prepare` returns, with a leading axis, `index` int32 and `mask` bool,
    False for padding.

  Raises:
    ValueError: the hosts cannot share a batch equally, or a picture or its
      target cannot be read.
  """

  def make(place):
    index, is_real = place
    made = prepare(*source.read(index))
    return {**made, "index": np.int32(index), "mask": np.bool_(is_real)}

  places = (
    pair
    for batch in sources.evaluation_positions(reader, source.num_images)
    for pair in zip(*map(np.ndarray.tolist, batch), strict=True)
  )
  yield from _batched(make, places, sources.local_size(reader))


def _train_places(source, reader, start_step) -> Iterator[tuple[int, int, int]]:
  """Step, epoch and picture of one example after another, without end."""
  num_images = source.num_images
  per_epoch = sources.steps_per_epoch(num_images, reader.batch_size)
  order, order_epoch = np.zeros(0, np.int64), -1
  for step in itertools.count(start_step):
    epoch = step // per_epoch
    if epoch != order_epoch:
      rng = np.random.default_rng((reader.seed, epoch))
      order, order_epoch = rng.permutation(num_images), epoch
    for position in sources.epoch_positions(reader, num_images, step):
      yield step, epoch, int(order[position])


def _batched(
  make: Callable[[Any], dict[str, np.ndarray]],
  places: Iterable[Any],
  local_size: int,
) -> Iterator[dict[str, np.ndarray]]:
  """Makes examples in threads, a little ahead, and stacks them in order."""
  threads = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
  ahead, waiting = local_size * _PREPARED_BATCHES, collections.deque()
  batch = []
  try:
    for place in itertools.chain(places, itertools.repeat(None, ahead)):
      waiting.append(None if place is None else threads.submit(make, place))
      made = waiting.popleft() if len(waiting) > ahead else None
      if made is not None:
        batch.append(made.result())
      if len(batch) == local_size:
        yield {key: np.stack([x[key] for x in batch]) for key in batch[0]}
        batch = []
  finally:
    threads.shutdown(cancel_futures=True)


def _generator(seed: int, *key: int) -> np.random.Generator:
  return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
