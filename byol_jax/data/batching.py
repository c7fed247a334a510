"""Runs through examples with tf.data, and says what goes wrong there."""

import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from byol_jax.data import problems, sources

_PREFETCHED_BATCHES = 2
# What TensorFlow writes around a reason.
_WRAPPING = re.compile(
  r"^\{\{.*?\}\} |Error in user-defined .*? iterator: \S+: |\bValueError: "
  r"| \[Op:.*$"
)


class Pass(NamedTuple):
  """Examples, endless or not, and what becomes of them.

  Attributes:
    source: the pictures.
    examples: `index` of each, and whatever `make` needs.
    make: an example to what is seen of it.
    local_size: examples per batch.
  """

  source: sources.Source
  examples: tf.data.Dataset
  make: Callable
  local_size: int


def iterate(part: Pass) -> Iterator[dict[str, np.ndarray]]:
  """NumPy batches of a pass; the last may be smaller.

  Args:
    part: what to read.

  Yields:
    What `make` returns, with a leading axis.

  Raises:
    ValueError: a label is no class, or a picture cannot be decoded or read,
      which is named.
  """
  yield from _iterate(part, _dataset(part))


def _iterate(
  part: Pass, dataset: tf.data.Dataset
) -> Iterator[dict[str, np.ndarray]]:
  # A name of this frame: the module's may be gone when the program ends.
  failures, count = tf.errors.OpError, 0
  try:
    for batch in dataset.as_numpy_iterator():
      if "labels" in batch:
        problems.check_labels(batch["labels"], part.source.class_names)
      yield batch
      count += 1
  except failures as error:
    raise ValueError(_unreadable(part, count, error)) from error


def padded(part: Pass, num_batches: int) -> Iterator[dict[str, np.ndarray]]:
  """Batches of a pass, filled up with zeros, and `mask` of what is real.

  Args:
    part: what to read; it ends.
    num_batches: how many; beyond the end they are only padding.

  Yields:
    As `iterate`, and `mask` bool.

  Raises:
    ValueError: as in `iterate`.
  """
  dataset = _dataset(part)
  batches, empty = _iterate(part, dataset), _empty(dataset)
  for _ in range(num_batches):
    yield _pad(next(batches, empty), part.local_size)


def unreadable_files(error: tf.errors.OpError) -> str:
  """The sentence about TFRecord files that cannot be read or decoded."""
  return f"the TFRecord data set cannot be read ({reason(error)})."


def _dataset(part: Pass) -> tf.data.Dataset:
  """Makes examples in parallel, yet always in the same order."""
  options = tf.data.Options()
  options.deterministic = True
  options.threading.private_threadpool_size = os.cpu_count()
  return (
    part.examples.map(part.make, num_parallel_calls=tf.data.AUTOTUNE)
    .batch(part.local_size)
    .prefetch(_PREFETCHED_BATCHES)
    .with_options(options)
  )


def _unreadable(part: Pass, num_batches: int, error: Exception) -> str:
  """One sentence about an error after so many batches; names the picture.

  TensorFlow does not say which it was: the batch is made again, one by one.
  """
  if isinstance(part.source, sources.StreamSource):
    return unreadable_files(error)
  skipped = num_batches * part.local_size
  examples = part.examples.skip(skipped).take(part.local_size)
  made = examples.map(part.make).as_numpy_iterator()
  for example in examples.as_numpy_iterator():
    try:
      next(made)
    except tf.errors.OpError as again:
      position = int(example["index"])
      return problems.unreadable(part.source, position, reason(again))
  return f"a picture could not be read, and now can be ({reason(error)})."


def reason(error: tf.errors.OpError) -> str:
  """The line of a TensorFlow error that says something."""
  return _WRAPPING.sub("", error.message.partition("\n")[0])


def _empty(dataset: tf.data.Dataset) -> dict[str, np.ndarray]:
  """A batch of no examples."""
  return {
    name: np.zeros((0, *spec.shape[1:]), spec.dtype.as_numpy_dtype)
    for name, spec in dataset.element_spec.items()
  }


def _pad(
  batch: dict[str, np.ndarray], local_size: int
) -> dict[str, np.ndarray]:
  """Fills a batch up with zeros and adds the mask of what is real."""
  missing = local_size - len(batch["index"])
  padded = {
    name: np.pad(values, [(0, missing)] + [(0, 0)] * (values.ndim - 1))
    for name, values in batch.items()
  }
  mask = np.arange(local_size) < local_size - missing
  return {**padded, "mask": mask}
