import jax
import numpy as np
import pytest
from sklearn import metrics

from byol_jax.dense import confusion

VOID = 7


@pytest.fixture
def pixels():
  rng = np.random.default_rng(0)
  truth = rng.integers(0, 4, (3, 8, 8))  # The fifth class is never there.
  predicted = np.where(
    rng.random(truth.shape) < 0.6, truth, rng.integers(0, 4, truth.shape)
  )
  truth[:, :2] = VOID
  return predicted.astype(np.int32), truth.astype(np.uint8)


def test_counts_are_scikit_learns(pixels):
  predicted, truth = pixels
  found = jax.jit(lambda *x: confusion.counts(*x, 5, VOID))(predicted, truth)
  counted = truth != VOID
  expected = metrics.confusion_matrix(
    truth[counted], predicted[counted], labels=range(5)
  )
  np.testing.assert_array_equal(found, expected)


def test_scores_are_scikit_learns(pixels):
  predicted, truth = pixels
  scores = confusion.scores(confusion.counts(predicted, truth, 5, VOID), VOID)
  counted = truth != VOID
  pair = truth[counted], predicted[counted]
  # Of the classes that are there, as in VOC.
  expected = metrics.jaccard_score(*pair, average="macro", labels=range(4))
  np.testing.assert_allclose(scores["miou"], expected, rtol=1e-12)
  accuracy = metrics.accuracy_score(*pair)
  np.testing.assert_allclose(scores["pixel_accuracy"], accuracy, rtol=1e-12)
  assert 0.3 < scores["miou"] < scores["pixel_accuracy"] < 0.9


def test_a_class_that_is_only_predicted_counts_as_a_miss():
  found = confusion.scores(np.array([[3, 1], [0, 0]]), VOID)
  assert found["miou"] == pytest.approx((3 / 4 + 0) / 2)


def test_a_void_class_among_the_others_is_left_out_of_the_mean():
  predicted = np.array([0, 1, 1, 2, 2, 2])
  truth = np.array([1, 1, 0, 0, 2, 1])
  found = confusion.scores(confusion.counts(predicted, truth, 3, 0), 0)
  # Of class 1 one of three is found, and class 2 has one of two.
  assert found["miou"] == pytest.approx((1 / 3 + 1 / 2) / 2)
  assert found["pixel_accuracy"] == pytest.approx(2 / 4)


def test_a_part_without_any_class_is_refused():
  with pytest.raises(ValueError, match="all are void"):
    confusion.scores(np.zeros((3, 3)), VOID)


def test_each_class_that_is_there_has_an_overlap():
  # Three of four right, and one of another class taken for it.
  found = confusion.overlaps(np.array([[3, 1, 0], [1, 0, 0], [0, 0, 0]]), VOID)
  assert found == {0: 3 / 5, 1: 0.0}


def test_void_has_no_overlap():
  found = confusion.overlaps(np.array([[5, 1], [1, 2]]), 0)
  assert found == {1: 0.5}
