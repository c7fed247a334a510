"""Held-out parts: sizes, classes, order and seeds."""

import itertools

import numpy as np
import pytest

from byol_jax.data import splits

# Class 2 is missing, class 3 is rare.
_LABELS = np.array([0, 1, 1, 3, 0, 4, 1, 0, 1, 4, 0, 1, 3, 4, 1] * 2, np.int32)
_SIZES = np.bincount(_LABELS)


def _counts(positions):
  return np.bincount(_LABELS[positions], minlength=5)


def test_last_is_the_end():
  np.testing.assert_array_equal(splits.last(10, 3), [7, 8, 9])


def test_random_part_is_seeded_sorted_and_without_repetition():
  part = splits.random_part(1000, 100, seed=3)
  assert np.all(np.diff(part) > 0)
  assert len(part) == 100
  assert part[0] >= 0
  assert part[-1] < 1000
  assert 400 < part.mean() < 600
  np.testing.assert_array_equal(part, splits.random_part(1000, 100, seed=3))
  assert np.any(part != splits.random_part(1000, 100, seed=4))


@pytest.mark.parametrize("count", [0, 11])
def test_impossible_counts_are_named(count):
  for choose in (splits.last, lambda *x: splits.random_part(*x, seed=0)):
    with pytest.raises(ValueError, match=f"{count} of 10"):
      choose(10, count)


def test_per_class_takes_as_many_of_each():
  part = splits.per_class(_LABELS, 3, seed=0)
  np.testing.assert_array_equal(_counts(part), [3, 3, 0, 3, 3])
  assert np.all(np.diff(part) > 0)
  assert np.any(part != splits.per_class(_LABELS, 3, seed=1))


def test_per_class_takes_what_is_asked_of_each():
  counts = np.array([1, 12, 0, 0, 6])
  part = splits.per_class(_LABELS, counts, seed=0)
  np.testing.assert_array_equal(_counts(part), counts)


def test_per_class_draws_all_members_alike():
  times = np.zeros(len(_LABELS))
  for seed in range(400):
    times[splits.per_class(_LABELS, 1, seed)] += 1
  expected = 400 / _SIZES[_LABELS]
  np.testing.assert_allclose(times, expected, atol=30)
  assert times.min() > 0


def test_per_class_names_a_class_with_too_few():
  with pytest.raises(ValueError, match=r"class 3 has 4 images.* 5"):
    splits.per_class(_LABELS, 5, seed=0)


def test_several_classes_a_picture_cannot_be_balanced():
  for choose in (splits.per_class, splits.balanced_share):
    with pytest.raises(ValueError, match="one class"):
      choose(np.eye(3, dtype=np.int32), 1, 0)


@pytest.mark.parametrize(
  ("share", "expected"),
  [
    (0.01, [1, 1, 0, 1, 1]),
    (8 / 30, [2, 2, 0, 2, 2]),
    # The rare class gives all of its 4, the others 6 each.
    (22 / 30, [6, 6, 0, 4, 6]),
    (1.0, [8, 12, 0, 4, 6]),
  ],
)
def test_balanced_share_takes_equally_many_where_there_are(share, expected):
  part = splits.balanced_share(_LABELS, share, seed=0)
  np.testing.assert_array_equal(_counts(part), expected)


def test_balanced_share_keeps_the_total():
  part = splits.balanced_share(_LABELS, 0.3, seed=0)
  assert len(part) == 9
  assert set(_counts(part)) == {0, 2, 3}


@pytest.mark.parametrize("seed", [0, 1])
def test_balanced_shares_are_nested(seed):
  parts = [
    set(splits.balanced_share(_LABELS, share, seed))
    for share in (0.1, 0.3, 0.5, 1.0)
  ]
  assert all(small < large for small, large in itertools.pairwise(parts))


@pytest.mark.parametrize("share", [0.0, 1.01])
def test_impossible_share_is_named(share):
  with pytest.raises(ValueError, match=f"share of {share}"):
    splits.balanced_share(_LABELS, share, 0)


def test_apportion_rounds_the_largest_remainders_up():
  # 10 * (1, 2, 4) / 7 = 1.43, 2.86, 5.71.
  np.testing.assert_array_equal(splits.apportion([1, 2, 4], 10), [1, 3, 6])


def test_others_are_what_is_left():
  np.testing.assert_array_equal(
    splits.others(6, np.array([4, 0, 1])), [2, 3, 5]
  )
