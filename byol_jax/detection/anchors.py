"""The boxes that a network of proposals displaces."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Shapes(NamedTuple):
  """The anchors of one place.

  Attributes:
    sizes: square roots of the areas, in pixels.
    ratios: height over width.
  """

  sizes: Sequence[float]
  ratios: Sequence[float]


def count(shapes: Shapes) -> int:
  """Anchors of one place."""
  return len(shapes.sizes) * len(shapes.ratios)


def grid(
  shapes: Shapes, map_size: tuple[int, int], first: float, stride: int
) -> np.ndarray:
  """All anchors of a map, by row, column and shape.

  Args:
    shapes: of one place.
    map_size: rows and columns of the map.
    first: the pixel, from 0, in whose middle the first anchors have theirs.
    stride: pixels from one place to the next.

  Returns:
    [rows * columns * count, 4] float32; they may reach out of the picture.
  """
  sizes = np.repeat(np.asarray(shapes.sizes, np.float64), len(shapes.ratios))
  ratios = np.tile(np.asarray(shapes.ratios, np.float64), len(shapes.sizes))
  half = 0.5 * np.stack([sizes * ratios**0.5, sizes / ratios**0.5], axis=-1)
  rows, columns = (first + 0.5 + np.arange(n) * stride for n in map_size)
  centres = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
  centres = centres[:, :, None]
  boxes = np.concatenate([centres - half, centres + half], axis=-1)
  return boxes.reshape(-1, 4).astype(np.float32)
