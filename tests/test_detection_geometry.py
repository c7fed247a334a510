"""Boxes, anchors, suppression, RoIAlign and sampling against other sources."""

import itertools

import jax
import numpy as np
import pytest

from byol_jax.detection import (
  anchors,
  boxes,
  losses,
  matching,
  pooling,
  selection,
  suppression,
)

# One program instead of one for each operation.
_decode, _encode = jax.jit(boxes.decode), jax.jit(boxes.encode)
_overlaps = jax.jit(boxes.overlap)
_suppress = jax.jit(suppression.suppress, static_argnums=(3, 4))
_align = jax.jit(pooling.align, static_argnums=(2, 3))
_match = jax.jit(matching.match, static_argnums=(3, 4))
_sample = jax.jit(matching.sample, static_argnums=(2, 3))
_smooth_l1 = jax.jit(losses.smooth_l1, static_argnums=2)
_head_losses = jax.jit(losses.head_losses)
_proposal_losses = jax.jit(losses.proposal_losses)
_propose = jax.jit(selection.propose, static_argnums=4)
_detect = jax.jit(selection.detect, static_argnums=4)


@pytest.fixture(scope="module")
def torchvision_ops():
  """Skips where torchvision, or its compiled part, is not there."""
  try:
    import torchvision
  except (ImportError, RuntimeError) as error:
    pytest.skip(f"no torchvision: {error}")
  return torchvision.ops


def _random_boxes(seed, count, side):
  corners = np.random.default_rng(seed).uniform(0, side, (count, 2, 2))
  return np.concatenate([corners.min(1), corners.max(1) + 1.0], -1).astype(
    np.float32
  )


def _overlap(one, other):
  """Intersection over union of two boxes, by hand."""
  sides = [
    max(0.0, min(one[i + 2], other[i + 2]) - max(one[i], other[i]))
    for i in (0, 1)
  ]
  both = sides[0] * sides[1]
  areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (one, other)]
  return both / (sum(areas) - both)


def test_overlap_of_each_pair_is_that_by_hand():
  one, other = _random_boxes(0, 5, 20.0), _random_boxes(1, 7, 20.0)
  wanted = np.array([[_overlap(x, y) for y in other] for x in one])
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
  found, grid = _random_boxes(2, 9, 50.0), _random_boxes(3, 9, 50.0)
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
      or _overlap(found[i], found[best]) <= threshold
    ]
  return kept


@pytest.mark.parametrize("num", [3, 40])
def test_suppression_keeps_what_the_greedy_rule_keeps(num):
  rng = np.random.default_rng(4)
  found, scores = _random_boxes(5, 40, 30.0), rng.random(40).astype(np.float32)
  groups = rng.integers(0, 2, 40)
  wanted = _greedy(found, scores, groups, 0.3)
  assert 3 < len(wanted) < 40
  kept = jax.device_get(_suppress(found, scores, groups, 0.3, num))
  np.testing.assert_array_equal(kept.index[kept.valid], wanted[:num])
  assert kept.valid.sum() == min(num, len(wanted))


def test_suppression_agrees_with_torchvision(torchvision_ops):
  import torch

  found, scores = (
    _random_boxes(6, 60, 30.0),
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


def test_align_agrees_with_torchvision(torchvision_ops):
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


_TRUTH = np.array([[0, 0, 10, 10], [50, 50, 52, 52], [0, 0, 0, 0]], np.float32)
_PRESENT = np.array([True, True, False])
# Over 0.7, between, under 0.3, the best of the second object, elsewhere.
_CANDIDATES = np.array(
  [
    [0, 0, 10, 9],
    [0, 0, 10, 5],
    [0, 0, 2, 10],
    [48, 48, 54, 54],
    [90, 90, 99, 99],
  ],
  np.float32,
)


@pytest.mark.parametrize(
  ("best", "positive", "negative"),
  [
    (True, [1, 0, 0, 1, 0], [0, 0, 1, 0, 1]),
    (False, [1, 0, 0, 0, 0], [0, 0, 1, 1, 1]),
  ],
)
def test_candidates_are_examples_by_their_overlap(best, positive, negative):
  found = _match(_CANDIDATES, _TRUTH, _PRESENT, (0.3, 0.7), best)
  np.testing.assert_array_equal(found.positive, np.array(positive, bool))
  np.testing.assert_array_equal(found.negative, np.array(negative, bool))
  np.testing.assert_array_equal(found.truth[:4], [0, 0, 0, 1])


def test_the_best_candidate_of_an_object_is_its_example():
  # It overlaps the large object more, which has a better candidate.
  truth = np.array([[0, 0, 10, 10], [0, 0, 2, 2]], np.float32)
  candidates = np.array([[0, 0, 10, 10], [0, 0, 5, 10]], np.float32)
  present = np.ones(2, bool)
  found = _match(candidates, truth, present, (0.3, 0.7), True)
  assert found.positive.all()
  np.testing.assert_array_equal(found.truth, [0, 1])


def test_without_objects_everything_is_background():
  found = _match(_CANDIDATES, _TRUTH, np.zeros(3, bool), (0.3, 0.7), True)
  assert found.negative.all()
  assert not found.positive.any()


def _some_matches(positives, negatives):
  kinds = np.array([1] * positives + [0] * negatives + [2] * 10)
  return matching.Matches(
    np.zeros(len(kinds), np.int32), kinds == 1, kinds == 0
  )


@pytest.mark.parametrize(
  ("positives", "negatives", "counts"),
  [(20, 50, (4, 12)), (2, 50, (2, 14)), (3, 5, (3, 5))],
)
def test_a_sample_has_its_share_of_objects(positives, negatives, counts):
  found = _some_matches(positives, negatives)
  taken = jax.device_get(_sample(jax.random.key(0), found, 16, 0.25))
  chosen = np.asarray(taken.index)[np.asarray(taken.valid)]
  assert (found.positive[chosen].sum(), found.negative[chosen].sum()) == counts
  assert len(set(chosen)) == len(chosen)
  np.testing.assert_array_equal(
    taken.positive[taken.valid], found.positive[chosen]
  )


def test_samples_differ_with_the_key():
  found = _some_matches(20, 50)
  one, other = (
    _sample(jax.random.key(seed), found, 16, 0.25).index for seed in (0, 1)
  )
  assert set(one.tolist()) != set(other.tolist())


def test_smooth_l1_is_square_near_zero_and_absolute_beyond():
  found = _smooth_l1(np.array([[0.05], [-2.0]]), np.zeros((2, 1)), 0.1)
  np.testing.assert_allclose(found, [0.05**2 / 0.2, 2.0 - 0.05], rtol=1e-5)


def test_head_losses_are_of_the_right_class_and_of_objects_only():
  logits = np.log(
    np.array([[0.5, 0.25, 0.25], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
  )
  displacements = np.zeros((3, 2, 4))
  displacements[0, 1] = 2.0
  labels, valid = np.array([2, 0, 1]), np.array([True, True, False])
  kind, place = _head_losses(
    logits, displacements, np.zeros((3, 4)), labels, valid
  )
  np.testing.assert_allclose(kind, -(np.log(0.25) + np.log(0.8)) / 2, rtol=1e-5)
  np.testing.assert_allclose(place, 4 * 1.5 / 2, rtol=1e-5)


def test_proposal_losses_count_objects_places_only():
  kind, place = _proposal_losses(
    np.array([0.0, 2.0, 9.0]),
    np.ones((3, 4)),
    np.zeros((3, 4)),
    np.array([True, False, False]),
    np.array([True, True, False]),
  )
  wanted = (np.log(2) + np.log1p(np.exp(2.0))) / 2
  np.testing.assert_allclose(kind, wanted, rtol=1e-5)
  np.testing.assert_allclose(place, 4 * (1 - 1 / 18) / 2, rtol=1e-5)


def test_proposals_are_the_best_boxes_within_the_picture():
  grid = np.array(
    [[0.0, 0, 8, 8], [0, 0, 8, 7], [4, 4, 20, 20], [30, 30, 40, 40]]
  )
  logits = np.array([1.0, 2.0, 0.0, 5.0])
  found = _propose(
    logits,
    np.zeros((4, 4)),
    grid,
    np.array([12.0, 16.0]),
    selection.Filter(4, 0.7, 3),
  )
  np.testing.assert_array_equal(found.valid, [True, True, False])
  np.testing.assert_allclose(
    found.boxes, [[0, 0, 8, 7], [4, 4, 12, 16], [0] * 4]
  )


def test_detections_are_displaced_per_class_and_suppressed_within_one():
  proposals = selection.Proposals(
    np.array([[0.0, 0, 10, 10], [0, 0, 10, 9], [5, 5, 6, 6]]),
    np.array([True, True, False]),
  )
  logits = np.log(
    np.array([[0.1, 0.5, 0.4], [0.2, 0.7, 0.1], [0.0, 0.0, 1.0]]) + 1e-9
  )
  # Class 1 of the first: half its height, which is 5 units of 0.1, down.
  displacements = np.zeros((3, 2, 4))
  displacements[0, 1, 0] = 5.0
  found = _detect(
    logits,
    displacements,
    proposals,
    np.array([20.0, 20.0]),
    (selection.Filter(6, 0.5, 4), 0.2),
  )
  np.testing.assert_allclose(found.scores, [0.7, 0.4, 0, 0], rtol=1e-5)
  np.testing.assert_array_equal(found.classes[:2], [0, 1])
  np.testing.assert_allclose(
    found.boxes[:2], [[0, 0, 10, 9], [5, 0, 15, 10]], atol=1e-4
  )


def test_head_targets_are_what_displaces_proposals_onto_objects():
  truth, proposals = _random_boxes(10, 6, 40.0), _random_boxes(11, 6, 40.0)
  wanted = selection.head_targets(truth, proposals)
  assert np.abs(wanted).max() > 1.0
  np.testing.assert_allclose(
    selection.in_head_units(wanted, proposals), truth, atol=1e-3
  )
