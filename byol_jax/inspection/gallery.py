"""Some pictures with their names, classes and thumbnails."""

import concurrent.futures
import io
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from byol_jax.data import pictures, problems, selection, sources

# Longest side, sharp at the sizes that a page shows, and 2 KB or so each.
_SIDE_PX = 96
_QUALITY = 80


class Gallery(NamedTuple):
  """Pictures as they are shown.

  Attributes:
    names: one line of text each, whatever the file is called.
    labels: [n] int32 in [0, len(class_names)); [0] when unlabelled.
    class_names: of the classes that occur, one line each; () when unlabelled.
    thumbnails: WebP files.
  """

  names: tuple[str, ...]
  labels: np.ndarray
  class_names: tuple[str, ...]
  thumbnails: tuple[bytes, ...]


def some(
  source: sources.EncodedSource, most: int, seed: int
) -> sources.EncodedSource:
  """All pictures, or as many drawn at random, in their order.

  Args:
    source: the pictures.
    most: how many at most.
    seed: of the draw.
  """
  if source.num_images <= most:
    return source
  rng = np.random.default_rng(seed)
  chosen = rng.permutation(source.num_images)[:most]
  return selection.select(source, np.sort(chosen))


def make(source: sources.EncodedSource, names: Sequence[str]) -> Gallery:
  """Reads each picture once, in a pool of threads.

  Args:
    source: the pictures.
    names: of each picture.

  Raises:
    ValueError: a picture cannot be decoded.
  """
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
    places = range(source.num_images)
    thumbnails = tuple(threads.map(lambda at: _thumbnail(source, at), places))
  # A draw may have left classes without a picture.
  present, labels = np.unique(source.labels, return_inverse=True)
  return Gallery(
    names=tuple(map(problems.printable, names)),
    labels=labels.astype(np.int32),
    class_names=tuple(
      problems.printable(source.class_names[label]) for label in present
    ),
    thumbnails=thumbnails,
  )


def pixels(thumbnail: bytes) -> np.ndarray:
  """A thumbnail as [height, width, 3] uint8."""
  with Image.open(io.BytesIO(thumbnail)) as picture:
    return np.asarray(picture.convert("RGB"))


def _thumbnail(source: sources.EncodedSource, position: int) -> bytes:
  try:
    encoded = source.read(position)
    small = _decoded(encoded, bool(source.is_plain_jpeg[position]))
  except pictures.ERRORS as error:
    reason = pictures.reason(error)
    raise ValueError(problems.unreadable(source, position, reason)) from error
  picture = Image.fromarray(small)
  picture.thumbnail((_SIDE_PX, _SIDE_PX), Image.Resampling.LANCZOS)
  file = io.BytesIO()
  picture.save(file, "WEBP", quality=_QUALITY)
  return file.getvalue()


def _decoded(encoded: bytes, is_plain_jpeg: bool) -> np.ndarray:
  """Upright RGB; of a large JPEG at a fraction of its size, which is fast."""
  if not is_plain_jpeg:
    return pictures.decode(encoded)
  with Image.open(io.BytesIO(encoded), formats=("JPEG",)) as picture:
    picture.draft(None, (2 * _SIDE_PX, 2 * _SIDE_PX))
    return pictures.to_rgb(picture)
