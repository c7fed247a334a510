"""Pictures and masks scaled, flipped and cropped alike: NumPy and Pillow."""

from typing import NamedTuple

import numpy as np
from PIL import Image

# What a picture is padded with: about the mean colour, so that it says nothing.
_PADDING = (124, 116, 104)


class Crop(NamedTuple):
  """Where a picture's part of a fixed size comes from.

  Attributes:
    scaled: height and width that the picture is resized to first.
    top: row of the part's first pixel in the resized picture; below 0 where
      there is padding above it.
    left: likewise of columns.
    size: height and width of the part.
    flip: whether left and right change places at the end.
  """

  scaled: tuple[int, int]
  top: int
  left: int
  size: tuple[int, int]
  flip: bool


def random_crop(
  shape: tuple[int, int],
  scales: tuple[float, float],
  size: tuple[int, int],
  flip: float,
  rng: np.random.Generator,
) -> Crop:
  """Draws a scale, a place and a flip.

  Args:
    shape: height and width of the picture.
    scales: lowest and highest factor; uniform (paper: 0.5 to 2).
    size: of the part; what the picture does not reach is padded.
    flip: probability.
    rng: of the draws, always equally many.
  """
  factor, down, across, turn = rng.random(4)
  scale = scales[0] + factor * (scales[1] - scales[0])
  scaled = tuple(max(1, round(side * scale)) for side in shape)
  top, left = (
    _place(side, part, where)
    for side, part, where in zip(scaled, size, (down, across), strict=True)
  )
  return Crop(scaled, top, left, size, bool(turn < flip))


def centre_crop(shape: tuple[int, int], size: tuple[int, int]) -> Crop:
  """The middle of a picture as it is, padded where it is smaller.

  Args:
    shape: height and width of the picture.
    size: of the part.
  """
  top, left = (
    (side - part) // 2 for side, part in zip(shape, size, strict=True)
  )
  return Crop(shape, top, left, size, flip=False)


def apply(
  crop: Crop, image: np.ndarray, mask: np.ndarray, void: int
) -> tuple[np.ndarray, np.ndarray]:
  """Cuts the same part out of a picture and its mask.

  Args:
    crop: made for a picture of this shape.
    image: [height, width, 3] uint8; bilinear where it is resized.
    mask: [height, width] uint8; every value stays one of its values.
    void: of padded pixels.

  Returns:
    The part of the picture [*size, 3] and of the mask [*size], uint8.
  """
  height, width = crop.scaled
  if image.shape[:2] != crop.scaled:
    image, mask = (
      np.asarray(Image.fromarray(x).resize((width, height), how))
      for x, how in (
        (image, Image.Resampling.BILINEAR),
        (mask, Image.Resampling.NEAREST),
      )
    )
  image, mask = _cut(image, crop, _PADDING), _cut(mask, crop, void)
  if crop.flip:
    image, mask = image[:, ::-1], mask[:, ::-1]
  return np.ascontiguousarray(image), np.ascontiguousarray(mask)


def _place(side: int, part: int, where: float) -> int:
  """First pixel of a part, for `where` in [0, 1): inside, or around it all."""
  room = side - part
  low, high = min(room, 0), max(room, 0)
  return low + int(where * (high - low + 1))


def _cut(pixels: np.ndarray, crop: Crop, padding) -> np.ndarray:
  """A part that may reach beyond the picture."""
  made = np.empty((*crop.size, *pixels.shape[2:]), np.uint8)
  made[...] = padding
  rows, columns = (
    _overlap(side, first, part)
    for side, first, part in zip(
      crop.scaled, (crop.top, crop.left), crop.size, strict=True
    )
  )
  made[rows[1], columns[1]] = pixels[rows[0], columns[0]]
  return made


def _overlap(side: int, first: int, part: int) -> tuple[slice, slice]:
  """What picture and part have in common, in the places of each."""
  begin, end = max(first, 0), max(min(first + part, side), 0)
  return slice(begin, end), slice(begin - first, end - first)
