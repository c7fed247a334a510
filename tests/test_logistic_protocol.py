import itertools

import numpy as np
import pytest
from sklearn import linear_model

from byol_jax import logistic, metrics
from byol_jax.evaluation import features
from byol_jax.evaluation import logistic as protocol

# One size of each part, for few compilations.
_ENDS = (0, 60, 90, 150)
_DIM = 8
_CLASSES = 6
_SETTINGS = protocol.Settings(
  num_classes=_CLASSES,
  metric="top1",
  strengths=(1e-2, 1e4),
  num_strengths=3,
  limits=logistic.Limits(tolerance=1e-5, max_steps=300),
)


def _part(representation, labels):
  logits = np.zeros((len(labels), 0), np.float32)
  return features.Features(np.float32(representation), logits, labels)


def _split(representation, labels):
  """Train, valid and test."""
  return [
    _part(representation[low:high], labels[low:high])
    for low, high in itertools.pairwise(_ENDS)
  ]


def _parts(noise=1.5):
  """Classes of unequal size around one point each."""
  rng = np.random.default_rng(5)
  shares = np.array([5, 3, 2, 1, 1, 1]) / 13
  labels = rng.choice(_CLASSES, _ENDS[-1], p=shares).astype(np.int32)
  labels[:_CLASSES] = np.arange(_CLASSES)
  centres = 3.0 * np.eye(_CLASSES, _DIM)
  noise = noise * rng.normal(size=(_ENDS[-1], _DIM))
  return _split(centres[labels] + noise, labels)


def _several(part):
  """Labels 1, 0 and -1 for each class."""
  labels = np.eye(_CLASSES, dtype=np.int32)[part.labels]
  labels[:, 1] |= labels[:, 0]
  labels[::7, 2] = -1
  return part._replace(labels=labels)


def _fit(part, strength, rows=slice(None), labels=None):
  labels = part.labels if labels is None else labels
  model = linear_model.LogisticRegression(
    C=1.0 / strength, tol=1e-8, max_iter=5000
  )
  return model.fit(part.representation[rows].astype(np.float64), labels[rows])


def _both(train, valid):
  pairs = zip(train, valid, strict=True)
  return features.Features(*map(np.concatenate, pairs))


def test_score_chooses_what_is_best_on_valid(caplog):
  train, valid, test = _parts()
  result = protocol.score(train, valid, test, _SETTINGS)
  strengths = (1e-2, 1e1, 1e4)
  models = [_fit(train, strength) for strength in strengths]
  scores = [x.score(valid.representation, valid.labels) for x in models]
  assert np.argmax(scores) == 1
  assert sorted(scores)[-2] < max(scores)
  for got, strength, expected in zip(
    result.candidates, strengths, scores, strict=True
  ):
    assert got == (pytest.approx(strength), pytest.approx(expected), True)
  assert result.strength == pytest.approx(10.0)
  assert result.valid_score == pytest.approx(scores[1])
  assert result.converged
  model = _fit(_both(train, valid), 10.0)
  expected = model.score(test.representation, test.labels)
  assert result.test_scores["top1"] == pytest.approx(expected)
  assert expected < result.test_scores["top5"] < 1.0
  assert not caplog.records


def test_score_refits_on_train_and_valid():
  train, valid, test = _parts(noise=0.1)
  rows = np.flatnonzero(train.labels != 4)
  train = train._replace(
    representation=train.representation[np.resize(rows, _ENDS[1])],
    labels=train.labels[np.resize(rows, _ENDS[1])],
  )
  assert 4 in test.labels
  settings = _SETTINGS._replace(strengths=(1e-2, 1e-1))
  result = protocol.score(train, valid, test, settings)
  assert result.valid_score < 1.0
  assert result.test_scores["top1"] == 1.0


def test_score_refits_down_the_path(monkeypatch):
  tried, path = [], logistic.path

  def spy(features, labels, strengths, *rest):
    tried.append((len(features), *strengths))
    return path(features, labels, strengths, *rest)

  monkeypatch.setattr(logistic, "path", spy)
  result = protocol.score(*_parts(), _SETTINGS)
  assert result.strength == pytest.approx(10.0)
  expected = [(60, 1e-2, 10.0, 1e4), (90, 10.0, 1e4)]
  assert tried == [pytest.approx(x) for x in expected]


def test_score_takes_the_stronger_of_equals_and_warns_at_the_end(caplog):
  parts = _parts(noise=0.1)
  settings = _SETTINGS._replace(strengths=(1e-2, 1.0))
  result = protocol.score(*parts, settings)
  assert [x.valid_score for x in result.candidates] == [1.0, 1.0, 1.0]
  assert result.strength == pytest.approx(1.0)
  assert "at the end of the range" in caplog.text


def test_score_counts_classes_alike():
  train, valid, test = _parts()
  settings = _SETTINGS._replace(metric="mean_per_class")
  result = protocol.score(train, valid, test, settings)
  model = _fit(_both(train, valid), result.strength)
  right = model.predict(test.representation) == test.labels
  shares = [np.mean(right[test.labels == x]) for x in range(_CLASSES)]
  assert np.mean(shares) != pytest.approx(np.mean(right))
  got = result.test_scores["mean_per_class"]
  assert got == pytest.approx(np.mean(shares))
  assert result.test_scores["top1"] == pytest.approx(np.mean(right))
  assert list(result.test_scores) == ["mean_per_class", "top1", "top5"]


def test_score_of_several_labels_a_picture():
  parts = [_several(part) for part in _parts()]
  settings = _SETTINGS._replace(metric="map11")
  result = protocol.score(*parts, settings)
  both, test = _both(*parts[:2]), parts[2]
  columns = []
  for column in range(_CLASSES):
    labels = both.labels[:, column]
    model = _fit(both, result.strength, labels >= 0, labels)
    columns.append(model.decision_function(test.representation))
  expected = metrics.mean_average_precision_11(
    np.stack(columns, axis=1), test.labels
  )
  assert 0.3 < expected < 1.0
  assert result.test_scores == {"map11": pytest.approx(expected, abs=1e-3)}


def test_score_says_what_has_not_converged(caplog):
  limits = logistic.Limits(tolerance=1e-5, max_steps=1)
  result = protocol.score(*_parts(), _SETTINGS._replace(limits=limits))
  assert not any(x.converged for x in result.candidates)
  assert not result.converged
  assert "has not converged" in caplog.text


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("metric", ["top1", "map11"])
def test_score_refuses_labels_of_another_kind(place, metric):
  parts = _parts()
  if metric == "map11":
    parts = [_several(part) for part in parts]
  parts[place] = parts[place]._replace(labels=np.zeros([0], np.int32))
  with pytest.raises(ValueError, match=r"Wanted labels .* got \[0\] in"):
    protocol.score(*parts, _SETTINGS._replace(metric=metric))


def test_score_refuses_an_empty_part():
  parts = _parts()
  parts[1] = _part(np.zeros((0, _DIM)), [])
  with pytest.raises(ValueError, match="none in valid"):
    protocol.score(*parts, _SETTINGS)
