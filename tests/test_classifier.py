"""Scores of a split: every picture once, on any number of devices."""

import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import classify, labelled, parallel
from byol_jax.data import memory, sources
from byol_jax.evaluation import classifier, feed, scoring, subject
from tests import tiny_eval

CLASSES, NUM, DIM = 7, 45, 5


def _features(num=NUM):
  random = np.random.default_rng(0)
  return feed.features.Features(
    random.normal(size=(num, DIM)).astype(np.float32),
    np.zeros((num, 0), np.float32),
    random.integers(0, CLASSES - 1, num).astype(np.int32),
  )


def _trainer(metric="top1"):
  source = sources.ArraySource(
    np.zeros((NUM, 4, 4, 3), np.uint8), _features().labels, tuple("abcdefg")
  )
  parts = labelled.Parts(
    source, source, source, source.class_names, metric, memory
  )
  config = tiny_eval.config(
    "linear",
    "pixels",
    changes={
      "data.metric": metric,
      "data.image_px": 4,
      "evaluation.batch_size": 16,
    },
  )
  found = subject.find(config)
  return feed.Trainer(config, subject.prepare(config, found, parts)), source


def _state(dim, num_heads=2):
  random = np.random.default_rng(1)
  heads = {
    "w": random.normal(size=(num_heads, dim, CLASSES)).astype(np.float32),
    "b": random.normal(size=(num_heads, CLASSES)).astype(np.float32),
  }
  state = classify.State(jnp.zeros([], jnp.int32), (), heads, ())
  return parallel.replicate(state)


@pytest.mark.parametrize("metric", ["top1", "mean_per_class"])
def test_each_row_counts_once(metric):
  """45 rows in batches of 16 on two devices; nobody has the last class."""
  trainer, source = _trainer(metric)
  known, state = _features(), _state(DIM)
  found = classifier.score(trainer, state, feed.Split(source, known))
  heads = parallel.first(state).heads
  logits = np.einsum("nd,hdc->hnc", known.representation, heads["w"])
  logits += heads["b"][:, None]
  for head, row in enumerate(found):
    order = np.argsort(-logits[head], axis=1)
    right = order[:, 0] == known.labels
    classes = [right[known.labels == c].mean() for c in range(CLASSES - 1)]
    wanted = {"top1": right.mean(), "mean_per_class": np.mean(classes)}
    in_five = (order[:, :5] == known.labels[:, None]).any(axis=1)
    assert 0 < right.sum() < NUM
    np.testing.assert_allclose(row[metric], wanted[metric], rtol=1e-6)
    np.testing.assert_allclose(row["top1"], wanted["top1"], rtol=1e-6)
    np.testing.assert_allclose(row["top5"], in_five.mean(), rtol=1e-6)


def test_pictures_score_as_their_features():
  trainer, source = _trainer()
  random = np.random.default_rng(2)
  images = random.integers(0, 256, source.images.shape).astype(np.uint8)
  source = source._replace(images=images)
  known = subject.represent(trainer.tested, source)
  assert known.representation.shape == (NUM, 4 * 4 * 3)
  state = _state(4 * 4 * 3)._replace(
    encoder=parallel.replicate(trainer.tested.encoder.variables)
  )
  from_pictures = classifier.score(trainer, state, feed.Split(source, None))
  cached = classifier.score(trainer, state, feed.Split(source, known))
  assert 0 < from_pictures[0]["top1"] < 1
  assert from_pictures == cached


def test_several_labels_are_scored_by_mean_average_precision():
  logits = np.array([[0.9, 0.1], [0.5, 0.6], [0.1, 0.2]])
  labels = np.array([[1, 0], [0, 1], [0, -1]])
  assert scoring.scores(logits, labels, "map11") == {"map11": 1.0}
  (half,) = scoring.scores(-logits, labels, "map11").values()
  assert half < 0.6


def test_top5_says_nothing_of_five_classes():
  scores = scoring.scores(np.eye(5), np.array([0, 1, 2, 3, 0]), "top1")
  assert scores == {"top1": 0.8}
