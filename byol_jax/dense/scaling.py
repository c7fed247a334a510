"""Pictures and their boxes scaled to a padded square: NumPy and Pillow."""

import numpy as np
from PIL import Image

from byol_jax.detection import objects


def scale(image: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
  """Resizes a picture, bilinear, so that its longest edge has a length.

  Args:
    image: [height, width, 3] uint8.
    side: the length in pixels.

  Returns:
    The picture, uint8, and [2] float32, by how much height and width grew.
  """
  before = image.shape[:2]
  height, width = (max(1, round(x * side / max(before))) for x in before)
  if (height, width) != before:
    image = np.asarray(
      Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    )
  return image, np.array([height / before[0], width / before[1]], np.float32)


def fill(image: np.ndarray, side: int) -> np.ndarray:
  """Puts a picture into the top left corner of a square of zeros.

  Args:
    image: [height, width, 3] uint8.
    side: of the square, no shorter.
  """
  square = np.zeros((side, side, 3), np.uint8)
  square[: image.shape[0], : image.shape[1]] = image
  return square


def scale_boxes(boxes: np.ndarray, factors: np.ndarray) -> np.ndarray:
  """Boxes [n, 4] times the factors [2] of height and width."""
  return boxes * np.concatenate([factors, factors])


def flip(image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Left and right change places.

  Args:
    image: [height, width, 3].
    boxes: [n, 4] in its pixels.

  Returns:
    Both.
  """
  width = image.shape[1]
  top, left, bottom, right = np.moveaxis(boxes, 1, 0)
  turned = np.stack([top, width - right, bottom, width - left], axis=1)
  return image[:, ::-1], turned


def padded(found: objects.Objects, count: int) -> dict[str, np.ndarray]:
  """Objects as arrays of a fixed length.

  Args:
    found: of one picture.
    count: length; no picture may have more.

  Returns:
    `boxes` [count, 4] float32, `classes` [count] int32, `present` and
    `difficult` [count] bool; the objects come first.

  Raises:
    ValueError: there are more.
  """
  number = len(found.boxes)
  if number > count:
    raise ValueError(
      f"a picture has {number} boxes: raise detection.max_boxes={count}."
    )
  boxes, classes = np.zeros((count, 4), np.float32), np.zeros(count, np.int32)
  boxes[:number], classes[:number] = found.boxes, found.classes
  difficult = np.zeros(count, bool)
  difficult[:number] = found.difficult
  present = np.arange(count) < number
  return {
    "boxes": boxes,
    "classes": classes,
    "present": present,
    "difficult": difficult,
  }
