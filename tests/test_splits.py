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
  several = np.eye(3, dtype=np.int32)
  for choose in (splits.per_class, splits.balanced_share, splits.proportional):
    with pytest.raises(ValueError, match="one class"):
      choose(several, 1, 0)
  for pair in ((_LABELS, several), (several, _LABELS)):
    with pytest.raises(ValueError, match="one class"):
      splits.like_other(*pair, 3, 0)


def test_pictures_without_a_class_cannot_be_balanced():
  labels = np.array([0, -1, 1], np.int32)
  for choose in (splits.per_class, splits.balanced_share, splits.proportional):
    with pytest.raises(ValueError, match="label -1, which is no class"):
      choose(labels, 1, 0)


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
  for choose in (splits.balanced_share, splits.proportional):
    with pytest.raises(ValueError, match=f"share of {share}"):
      choose(_LABELS, share, 0)


@pytest.mark.parametrize(
  ("sizes", "share", "expected"),
  [
    # A rare class gives its part and not all it has.
    ([110] * 9 + [8], 0.1, [11] * 9 + [1]),
    ([60, 30, 10], 0.2, [12, 6, 2]),
    # Each gives one, though the share is less; a single picture stays.
    ([50, 3, 2, 1, 0], 0.02, [1, 1, 1, 0, 0]),
    # What the rare ones must give is taken from the common.
    ([90, 3, 3, 4], 0.1, [7, 1, 1, 1]),
    # Each keeps one.
    ([5, 3, 1, 2], 7 / 11, [4, 2, 0, 1]),
  ],
)
def test_proportional_takes_a_share_of_each_class(sizes, share, expected):
  labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
  part = splits.proportional(labels, share, seed=0)
  found = np.bincount(labels[part], minlength=len(sizes))
  np.testing.assert_array_equal(found, expected)
  assert np.all(np.diff(part) > 0)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.27, 0.5])
def test_proportional_share_of_equal_classes_is_balanced(share):
  labels = np.tile([0, 1, 3, 4], 10).astype(np.int32)
  part = splits.proportional(labels, share, seed=2)
  assert len(part) > 3
  expected = splits.balanced_share(labels, share, seed=2)
  np.testing.assert_array_equal(part, expected)


def test_proportional_refuses_to_take_a_whole_class():
  labels = np.repeat([0, 1, 2], [5, 3, 1]).astype(np.int32)
  with pytest.raises(ValueError, match=r"7 of 9 images .* 3 classes keeps one"):
    splits.proportional(labels, 7 / 9, seed=0)


def test_like_other_follows_the_other_part():
  other = np.array([3, 1, 1, 1], np.int32)
  part = splits.like_other(_LABELS, other, 8, seed=0)
  np.testing.assert_array_equal(_counts(part), [0, 6, 0, 2, 0])


def test_apportion_rounds_the_largest_remainders_up():
  # 10 * (1, 2, 4) / 7 = 1.43, 2.86, 5.71.
  np.testing.assert_array_equal(splits.apportion([1, 2, 4], 10), [1, 3, 6])


def test_others_are_what_is_left():
  np.testing.assert_array_equal(
    splits.others(6, np.array([4, 0, 1])), [2, 3, 5]
  )
