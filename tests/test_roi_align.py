"""RoIAlign against other sources."""

import itertools

import jax
import numpy as np

from byol_jax.detection import pooling
from tests import some_boxes

# One program instead of one for each operation.
_align = jax.jit(pooling.align, static_argnums=(2, 3))


def _bilinear(features, y, x):
  """One sample between the cells' centres, by the published rule."""
  height, width = features.shape[:2]
  if not (-1 <= y <= height and -1 <= x <= width):
    return np.zeros(features.shape[2])
  y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
  low = int(y), int(x)
  total = 0.0
  for down, across in itertools.product((0, 1), repeat=2):
    row, column = low[0] + down, low[1] + across
    weight = (1 - abs(y - row)) * (1 - abs(x - column))
    if weight > 0:
      total = total + weight * features[row, column]
  return total


def _aligned(features, box, size, samples):
  """RoIAlign of one box, a sample at a time."""
  top, left, bottom, right = (x - 0.5 for x in box)
  step = (bottom - top) / (size * samples), (right - left) / (size * samples)
  made = np.zeros((size, size, features.shape[2]))
  for row, column in itertools.product(range(size * samples), repeat=2):
    made[row // samples, column // samples] += _bilinear(
      features, top + (row + 0.5) * step[0], left + (column + 0.5) * step[1]
    )
  return made / samples**2


_PLACES = np.array(
  [[1, 1, 5, 6], [0, 0, 7, 9], [-3, -2, 4, 12], [2.3, 4.1, 2.9, 4.4]],
  np.float32,
)


def test_align_is_the_mean_of_bilinear_samples():
  features = np.random.default_rng(8).normal(size=(7, 9, 2)).astype(np.float32)
  found = _align(features, _PLACES, 3, 2)
  wanted = [_aligned(features, box, 3, 2) for box in _PLACES]
  np.testing.assert_allclose(found, wanted, atol=1e-5)


# By torchvision 0.28.0: roi_align(x, [[0, 1, 1, 5, 4], [0, -0.5, 0, 3, 5]], 2,
# 1.0, 2, aligned=True) of x[0, 0, i, j] = sin(i) + j / 2 of 5x6.
_GOLDEN = [
  [[1.5601, 2.5601], [1.0751, 2.0751]],
  [[0.5642, 1.2985], [-0.0296, 0.7048]],
]


def test_align_gives_what_torchvision_gave():
  rows, columns = np.arange(5.0), np.arange(6.0)
  features = np.sin(rows)[:, None] + columns[None] / 2
  places = np.array([[1, 1, 4, 5], [0, -0.5, 5, 3]], np.float32)  # y before x.
  found = _align(features[..., None].astype(np.float32), places, 2, 2)
  np.testing.assert_allclose(found[..., 0], _GOLDEN, atol=1e-4)


def test_align_agrees_with_torchvision():
  torchvision_ops = some_boxes.torchvision_ops()
  import torch

  features = np.random.default_rng(9).normal(size=(7, 9, 2)).astype(np.float32)
  numbered = np.pad(_PLACES[:, [1, 0, 3, 2]], ((0, 0), (1, 0)))
  wanted = torchvision_ops.roi_align(
    torch.from_numpy(features.transpose(2, 0, 1)[None]),
    torch.from_numpy(numbered),
    (3, 3),
    1.0,
    2,
    aligned=True,
  )
  found = _align(features, _PLACES, 3, 2)
  np.testing.assert_allclose(
    found, wanted.numpy().transpose(0, 2, 3, 1), atol=1e-5
  )
