"""Boxes, anchors and suppression against other sources."""

import jax
import numpy as np
import pytest

from byol_jax.detection import anchors, boxes, suppression
from tests import some_boxes

# One program instead of one for each operation.
_overlaps = jax.jit(boxes.overlap)
_suppress = jax.jit(suppression.suppress, static_argnums=(3, 4))
_decode = jax.jit(boxes.decode)
_encode = jax.jit(boxes.encode)


def test_overlap_of_each_pair_is_that_by_hand():
  one, other = (
    some_boxes.random_boxes(0, 5, 20.0),
    some_boxes.random_boxes(1, 7, 20.0),
  )
  wanted = np.array([[some_boxes.overlap(x, y) for y in other] for x in one])
  assert 0.1 < wanted.max() < 1.0
  np.testing.assert_allclose(_overlaps(one, other), wanted, atol=1e-6)


@pytest.mark.parametrize(
  ("other", "wanted"),
  [([0, 0, 4, 4], 1.0), ([2, 0, 6, 4], 1 / 3), ([4, 4, 8, 8], 0.0)],
)
def test_overlap_of_known_boxes(other, wanted):
  one = np.array([[0, 0, 4, 4]], np.float32)
  found = _overlaps(one, np.array([other], np.float32))
  np.testing.assert_allclose(found, [[wanted]], rtol=1e-6)


def test_boxes_without_inside_overlap_nothing():
  assert _overlaps(np.zeros((1, 4)), np.zeros((1, 4))).item() == 0.0


def test_displacements_turn_anchors_into_boxes():
  found, grid = (
    some_boxes.random_boxes(2, 9, 50.0),
    some_boxes.random_boxes(3, 9, 50.0),
  )
  displaced = _decode(_encode(found, grid), grid)
  assert np.abs(found - grid).max() > 5.0
  np.testing.assert_allclose(displaced, found, atol=1e-3)


def test_displacements_are_in_sides_of_the_anchor():
  # Half of its height down, twice its width wide.
  found = _encode(
    np.array([[5.0, -10.0, 15.0, 30.0]]), np.array([[0.0, 0.0, 10.0, 20.0]])
  )
  np.testing.assert_allclose(found, [[0.5, 0, 0, np.log(2)]], atol=1e-6)


def test_huge_displacements_stay_finite():
  found = _decode(np.full((1, 4), 1e4), np.array([[0.0, 0, 1, 1]]))
  assert np.isfinite(found).all()


def test_anchors_have_their_centres_areas_and_ratios():
  shapes = anchors.Shapes((16.0, 32.0), (0.5, 1.0, 2.0))
  grid = anchors.grid(shapes, (2, 3), 7.0, 8).reshape(2, 3, 6, 4)
  sides = grid[..., 2:] - grid[..., :2]
  np.testing.assert_allclose(
    grid[1, 2].mean(0)[[0, 1]] + sides[1, 2].mean(0) / 2, [15.5, 23.5]
  )
  np.testing.assert_allclose(
    sides.prod(-1)[0, 0], [256] * 3 + [1024] * 3, rtol=1e-5
  )
  np.testing.assert_allclose(
    (sides[..., 0] / sides[..., 1])[1, 1], [0.5, 1, 2] * 2, rtol=1e-5
  )


def _greedy(found, scores, groups, threshold):
  """Non-maximum suppression as one would write it."""
  left, kept = list(np.argsort(-scores, kind="stable")), []
  while left:
    best, *left = left
    kept.append(best)
    left = [
      i
      for i in left
      if groups[i] != groups[best]
      or some_boxes.overlap(found[i], found[best]) <= threshold
    ]
  return kept


@pytest.mark.parametrize("num", [3, 40])
def test_suppression_keeps_what_the_greedy_rule_keeps(num):
  rng = np.random.default_rng(4)
  found, scores = (
    some_boxes.random_boxes(5, 40, 30.0),
    rng.random(40).astype(np.float32),
  )
  groups = rng.integers(0, 2, 40)
  wanted = _greedy(found, scores, groups, 0.3)
  assert 3 < len(wanted) < 40
  kept = jax.device_get(_suppress(found, scores, groups, 0.3, num))
  np.testing.assert_array_equal(kept.index[kept.valid], wanted[:num])
  assert kept.valid.sum() == min(num, len(wanted))


def test_suppression_agrees_with_torchvision():
  torchvision_ops = some_boxes.torchvision_ops()
  import torch

  found, scores = (
    some_boxes.random_boxes(6, 60, 30.0),
    np.random.default_rng(7).random(60),
  )
  scores = scores.astype(np.float32)
  wanted = torchvision_ops.nms(*map(torch.from_numpy, (found, scores)), 0.3)
  kept = jax.device_get(_suppress(found, scores, np.zeros(60, int), 0.3, 60))
  np.testing.assert_array_equal(kept.index[kept.valid], wanted.numpy())


def test_suppression_leaves_out_what_does_not_count():
  found = np.array([[0.0, 0, 1, 1], [2, 2, 3, 3], [0, 0, 0, 0]])
  scores = np.array([0.5, -np.inf, 0.9])
  kept = jax.device_get(_suppress(found, scores, np.zeros(3, int), 0.5, 3))
  np.testing.assert_array_equal(kept.valid, [True, True, False])
  np.testing.assert_array_equal(kept.index, [2, 0, 0])
