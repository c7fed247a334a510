import numpy as np
import pytest

from byol_jax.evaluation import probe
from byol_jax.evaluation.features import Features


def _features(count, seed, spread):
  """Three classes on a line, which only two thresholds part."""
  rng = np.random.default_rng(seed)
  labels = np.arange(count, dtype=np.int32) % 3
  x = rng.normal(size=(count, 4)) * spread
  x[:, 0] += 3.0 * labels
  # Standardisation has to undo this.
  x = 1e3 * x + 7e4
  return Features(x.astype(np.float32), np.zeros((count, 0)), labels)


def test_separable_classes_are_separated():
  got = probe.linear_top1(_features(90, 0, 0.1), _features(60, 1, 0.1), 0)
  assert got == 1.0


def test_overlapping_classes_reach_what_a_threshold_can():
  got = probe.linear_top1(_features(900, 0, 1.0), _features(3000, 1, 1.0), 0)
  # Phi(1.5) = 0.933 on either side: the outer classes miss 6.7 %, the middle
  # one twice that.
  assert got == pytest.approx(1.0 - 4 / 3 * 0.0668, abs=0.02)


def test_unrelated_features_are_no_better_than_chance():
  train, test = _features(300, 0, 1.0), _features(900, 1, 1.0)
  rng = np.random.default_rng(2)
  noise = [x._replace(labels=rng.permutation(x.labels)) for x in (train, test)]
  assert probe.linear_top1(*noise, 0) == pytest.approx(1 / 3, abs=0.06)


def test_a_class_of_one_picture_is_no_obstacle():
  train = _features(901, 0, 0.1)
  labels = train.labels.copy()
  labels[-1] = 3
  rare = train._replace(labels=labels)
  got = probe.linear_top1(rare, _features(60, 1, 0.1), 0)
  assert got > 0.9
