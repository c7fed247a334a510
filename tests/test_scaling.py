"""Pictures and their boxes scaled, flipped and padded alike."""

import numpy as np
import pytest

from byol_jax.dense import scaling
from byol_jax.detection import objects


def _marked():
  """A picture of 30x20 whose white rectangle is its only box."""
  image = np.zeros((20, 30, 3), np.uint8)
  image[4:12, 6:14] = 255
  return image, np.array([[4.0, 6.0, 12.0, 14.0]])


def _white(image):
  """The box of what is bright."""
  rows, columns = np.nonzero(image[..., 0] > 127)
  return [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]


@pytest.mark.parametrize("side", [30, 60, 90])
def test_boxes_survive_scaling(side):
  image, boxes = _marked()
  scaled, factors = scaling.scale(image, side)
  assert scaled.shape == (side * 2 // 3, side, 3)
  found = scaling.scale_boxes(boxes, factors)
  np.testing.assert_allclose(found[0], _white(scaled), atol=1e-4)


def test_boxes_survive_a_flip():
  image, boxes = _marked()
  turned, found = scaling.flip(image, boxes)
  assert _white(turned) == [4, 16, 12, 24]
  np.testing.assert_array_equal(found[0], _white(turned))
  np.testing.assert_array_equal(scaling.flip(turned, found)[1], boxes)


def test_factors_are_those_of_the_rounded_sides():
  scaled, factors = scaling.scale(np.zeros((21, 64, 3), np.uint8), 32)
  assert scaled.shape == (10, 32, 3)
  np.testing.assert_allclose(factors, [10 / 21, 0.5])


def test_padding_stands_below_and_to_the_right():
  image, _ = _marked()
  square = scaling.fill(image, 40)
  assert square.shape == (40, 40, 3)
  assert _white(square) == [4, 6, 12, 14]


def test_objects_are_padded_to_a_length():
  found = objects.Objects(
    np.array([[1.0, 2, 3, 4]]), np.array([7]), np.array([True])
  )
  padded = scaling.padded(found, 2)
  np.testing.assert_array_equal(padded["boxes"], [[1, 2, 3, 4], [0] * 4])
  np.testing.assert_array_equal(padded["present"], [True, False])
  np.testing.assert_array_equal(padded["classes"], [7, 0])
  np.testing.assert_array_equal(padded["difficult"], [True, False])
  with pytest.raises(
    ValueError, match=r"1 boxes: raise detection\.max_boxes=0"
  ):
    scaling.padded(found, 0)
