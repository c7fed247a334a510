import numpy as np
import pytest

from byol_jax.evaluation import online
from byol_jax.evaluation.features import Features

SETTINGS = online.KNN(num_neighbours=3, temperature=0.07)


def _features(count, seed, classes=3, dim=5):
  """Clusters about one axis a class, and logits that are right at even rows."""
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, classes, count).astype(np.int32)
  clean = np.eye(classes, dim)[labels]
  noise = 0.05 * rng.normal(size=clean.shape)
  shift = np.arange(count) % 2
  logits = np.eye(classes)[(labels + shift) % classes]
  return Features(
    (clean + noise).astype(np.float32), logits.astype(np.float32), labels
  )


def test_scores_name_the_split():
  got = online.scores(_features(600, 0), _features(50, 1), 3, SETTINGS)
  assert set(got) == {
    "test_top1",
    "test_top5",
    "test_knn_top1",
    "test_effective_rank",
  }
  assert got["test_top1"] == 0.5
  assert got["test_top5"] == 1.0
  assert got["test_knn_top1"] == 1.0
  assert 1.0 < got["test_effective_rank"] <= 5.0


def test_knn_counts_the_wrong_ones():
  test, bank = _features(600, 0), _features(50, 1)
  wrong = test.labels.copy()
  wrong[:150] = (wrong[:150] + 1) % 3
  got = online.knn_top1(test._replace(labels=wrong), bank, 3, SETTINGS)
  assert got == 0.75


def test_knn_takes_a_bank_smaller_than_its_neighbours():
  bank = _features(50, 1)
  small = Features(*(x[:2] for x in bank))
  settings = online.KNN(num_neighbours=20, temperature=0.07)
  got = online.knn_top1(small, small, 3, settings)
  assert got == 1.0


@pytest.mark.parametrize("num_classes", [0, 3])
def test_without_labels_or_bank_there_is_less(num_classes):
  test = _features(40, 0)
  if not num_classes:
    test = test._replace(labels=np.zeros(0, np.int32))
  got = online.scores(test, None, num_classes, SETTINGS)
  expected = {"test_effective_rank"}
  if num_classes:
    expected |= {"test_top1", "test_top5"}
  assert set(got) == expected
