"""Which boxes are examples, and the losses of them."""

import jax
import numpy as np
import pytest

from byol_jax.detection import losses, matching

# One program instead of one for each operation.
_match = jax.jit(matching.match, static_argnums=(3, 4))
_sample = jax.jit(matching.sample, static_argnums=(2, 3))
_smooth_l1 = jax.jit(losses.smooth_l1, static_argnums=2)
_head_losses = jax.jit(losses.head_losses)
_proposal_losses = jax.jit(losses.proposal_losses)


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
