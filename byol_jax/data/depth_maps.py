"""Depth maps: from files to metres, and what the network sees of a picture."""

import math

import numpy as np
from PIL import Image

from byol_jax.data import annotated, pictures, splits

# One number a pixel, of 8 or 16 bits.
_MODES = ("L", "I", "I;16", "I;16B", "I;16L")
# Left, upper, right and lower edge in pixels, as Pillow has it.
Box = tuple[float, float, float, float]


def decode(encoded: bytes, scale: float) -> np.ndarray:
  """Decodes a depth map.

  Args:
    encoded: a picture file, grey of 8 or 16 bits; 0 where depth is not known.
    scale: metres of one stored unit, such as 0.001 for millimetres; 0 where it
      is not known: depth is then a share of the picture's largest.

  Returns:
    [height, width] float32; 0 where it is not known.

  Raises:
    ValueError: it has colours, or is no picture (`pictures.ERRORS`).
  """
  with pictures.opened(encoded) as picture:
    if picture.mode not in _MODES:
      raise ValueError(
        f"a depth map of mode {picture.mode}, where grey of 8 or 16 bits is"
        " needed"
      )
    stored = np.asarray(picture).astype(np.float32)
  if not scale:
    return stored / max(stored.max(), 1.0)
  return stored * np.float32(scale)


def last_share(
  source: annotated.AnnotatedSource, share: float
) -> tuple[annotated.AnnotatedSource, annotated.AnnotatedSource]:
  """Parts a source by its sorted names: the first pictures, and the last.

  Frames of one room follow each other: of pictures chosen at random almost
  every one would have its room among the others, too.

  Args:
    source: sorted by name.
    share: of the second part, in [0, 1].

  Raises:
    ValueError: one of the parts has no picture.
  """
  count = round(share * source.num_images)
  if not 0 < count < source.num_images:
    raise ValueError(
      f"a share of {share:g} of {source.num_images} pictures leaves one part"
      " without pictures."
    )
  last = splits.last(source.num_images, count)
  first = splits.others(source.num_images, last)
  return annotated.select(source, first), annotated.select(source, last)


def window(
  size: tuple[int, int], resized: tuple[int, int], cropped: tuple[int, int]
) -> Box:
  """What is seen of a picture that is resized and cropped at the centre.

  A picture of another aspect than `resized` loses its longer sides' ends first,
  rather than being distorted.

  Args:
    size: height and width of the picture.
    resized: height and width that it would be resized to.
    cropped: height and width that the crop then has, no larger.

  Returns:
    The crop's edges in the picture as it is.
  """
  scale = min(side / goal for side, goal in zip(size, resized, strict=True))
  height, width = (scale * side for side in cropped)
  top, left = (size[0] - height) / 2, (size[1] - width) / 2
  return left, top, left + width, top + height


def zoomed(box: Box, zoom: float, place: tuple[float, float]) -> Box:
  """A smaller window somewhere in another.

  Enlarged to the same size, it shows things `zoom` times as large: as if they
  were nearer by that factor (arXiv 1606.00373, "Experimental Setup").

  Args:
    box: from `window`.
    zoom: 1 or more.
    place: in [0, 1]: between the topmost and the lowest, and between the
      leftmost and the rightmost place.
  """
  left, top, right, bottom = box
  height, width = (bottom - top) / zoom, (right - left) / zoom
  top += place[0] * (bottom - top - height)
  left += place[1] * (right - left - width)
  return left, top, left + width, top + height


def seen(image: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
  """Cuts a window out of a picture and resizes it, bilinear and smoothed.

  Args:
    image: [height, width, 3] uint8.
    box: from `window`.
    size: height and width of the result.

  Returns:
    [*size, 3] uint8.
  """
  resized = Image.fromarray(image).resize(
    size[::-1], Image.Resampling.BILINEAR, box
  )
  return np.asarray(resized)


def sampled(depth: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
  """Takes the nearest pixels of a window: known and unknown never mix.

  Args:
    depth: [height, width] float32.
    box: from `window`.
    size: height and width of the result.

  Returns:
    `size` float32.
  """
  left, top, right, bottom = box
  rows, columns = (
    (low + (np.arange(count) + 0.5) * (high - low) / count).astype(np.int64)
    for low, high, count in zip((top, left), (bottom, right), size, strict=True)
  )
  return depth[rows[:, None], columns[None, :]]


def truth(depth: np.ndarray, box: Box) -> np.ndarray:
  """The window of a depth map at its own resolution, in whole pixels.

  Args:
    depth: [height, width] float32.
    box: from `window`.
  """
  left, top, right, bottom = box
  rows = slice(math.floor(top + 0.5), math.floor(bottom + 0.5))
  return depth[rows, math.floor(left + 0.5) : math.floor(right + 0.5)]


def resized(depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """A predicted map at another size, bilinear.

  Args:
    depth: [height, width] float32, known everywhere.
    size: height and width of the result.
  """
  picture = Image.fromarray(depth.astype(np.float32))
  return np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR))
