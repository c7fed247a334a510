"""Boxes to test with, and what others make of them."""

import numpy as np
import pytest


def torchvision_ops():
  """Skips where torchvision, or its compiled part, is not there."""
  try:
    import torchvision
  except (ImportError, RuntimeError) as error:
    pytest.skip(f"no torchvision: {error}")
  return torchvision.ops


def random_boxes(seed, count, side):
  corners = np.random.default_rng(seed).uniform(0, side, (count, 2, 2))
  return np.concatenate([corners.min(1), corners.max(1) + 1.0], -1).astype(
    np.float32
  )


def overlap(one, other):
  """Intersection over union of two boxes, by hand."""
  sides = [
    max(0.0, min(one[i + 2], other[i + 2]) - max(one[i], other[i]))
    for i in (0, 1)
  ]
  both = sides[0] * sides[1]
  areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (one, other)]
  return both / (sum(areas) - both)
