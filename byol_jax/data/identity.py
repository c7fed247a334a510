"""Tells data apart: the same text for the same pictures and classes."""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent import futures

import numpy as np

from byol_jax.data import annotated, sources

# Digits, of 4 bits each: two results out of millions will not meet.
_SHOWN = 16


def digest(
  parts: Iterable[sources.Source | annotated.AnnotatedSource | None],
) -> str:
  """A short text that differs when the data do.

  Class names, sizes and all labels that are known without reading count; of
  arrays the pixels too, of files their names, and the contents of masks, depth
  maps and boxes. TFDS sets are told apart by what names them, which the caller
  has.

  Args:
    parts: opened parts in a fixed order; None for one that there is not.

  Returns:
    16 hexadecimal digits of a SHA-256.

  Raises:
    ValueError: a mask, depth map or file of boxes cannot be read.
  """
  whole = hashlib.sha256()
  for part in parts:
    for piece in _pieces(part):
      # Hashed one by one, so that no two lists of pieces run into the same.
      whole.update(hashlib.sha256(piece).digest())
  return whole.hexdigest()[:_SHOWN]


def _pieces(
  source: sources.Source | annotated.AnnotatedSource | None,
) -> Iterator[bytes | memoryview]:
  """What counts of one part; the first piece says how many follow."""
  if source is None:
    yield b"none"
    return
  kind, size = type(source).__name__, sources.size(source)
  yield repr((kind, size, tuple(source.class_names))).encode()
  if isinstance(source, sources.ArraySource | sources.EncodedSource):
    yield from _array(source.labels)
  if isinstance(source, sources.ArraySource):
    yield from _array(source.images)
  elif hasattr(source, "name"):
    for position in range(size):
      yield source.name(position).encode("utf-8", "surrogateescape")
  if isinstance(source, annotated.AnnotatedSource):
    # Many small files, perhaps over a network.
    with futures.ThreadPoolExecutor() as pool:
      yield from pool.map(source.fingerprint, range(size))


def _array(values: np.ndarray) -> Iterator[bytes | memoryview]:
  yield repr((values.dtype.name, values.shape)).encode()
  yield np.ascontiguousarray(values).reshape(-1).data
