import numpy as np
import pytest
from sklearn import linear_model

from byol_jax import logistic

# One shape for most tests: each new one is compiled.
_N, _DIM, _CLASSES = 60, 7, 4
_STRENGTHS = (1e-2, 1e2, 1.0)
_EXACT = logistic.Limits(tolerance=1e-6, max_steps=300)


def _data(num=_N, dim=_DIM, seed=0):
  """Correlated features away from zero, and labels that they half tell."""
  rng = np.random.default_rng(seed)
  features = rng.normal(size=(num, dim)) @ rng.normal(size=(dim, dim)) + 2.0
  scores = features @ rng.normal(size=(dim, _CLASSES))
  noisy = scores - scores.mean(axis=0) + 4.0 * rng.gumbel(size=scores.shape)
  labels = np.argmax(noisy, axis=1)
  assert len(set(labels)) == _CLASSES
  return features.astype(np.float32), labels.astype(np.int32)


def _several_labels():
  """Labels 1, 0 and -1 of the same features."""
  features, labels = _data()
  rng = np.random.default_rng(1)
  several = np.eye(_CLASSES, dtype=np.int32)[labels]
  several |= rng.random(several.shape) < 0.2
  several[rng.random(several.shape) < 0.1] = -1
  return features, several


def _path(features, labels, strengths=_STRENGTHS, limits=_EXACT):
  found = logistic.path(
    features, labels, np.float32(strengths), _CLASSES, limits
  )
  return logistic.Path(*(np.asarray(x) for x in found))


def _gradient_norm(features, labels, weights, biases, strength):
  """Of the objective of centred features, in float64."""
  x = features.astype(np.float64)
  mean = x.mean(axis=0)
  logits = x @ weights + biases
  if labels.ndim == 1:
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    rest = chances - np.eye(_CLASSES)[labels]
  else:
    rest = (1.0 / (1.0 + np.exp(-logits)) - labels) * (labels >= 0)
  slope = (x - mean).T @ rest + strength * weights
  return np.sqrt(np.sum(slope**2) + np.sum(rest.sum(axis=0) ** 2))


@pytest.mark.parametrize("data", [_data, _several_labels])
def test_path_reports_the_gradient_where_it_stopped(data):
  features, labels = data()
  limits = logistic.Limits(tolerance=1e-6, max_steps=2)
  found = _path(features, labels, limits=limits)
  zero = np.zeros_like(found.weights[0])
  start = _gradient_norm(features, labels, zero, zero[0], 0.0)
  expected = [
    _gradient_norm(features, labels, *row) / start
    for row in zip(found.weights, found.biases, _STRENGTHS, strict=True)
  ]
  assert min(expected) > 1e-4
  np.testing.assert_allclose(found.gradient_norms, expected, rtol=1e-3)
  np.testing.assert_array_equal(found.num_steps, 2)


def test_path_agrees_with_scikit_learn():
  features, labels = _data()
  found = _path(features, labels)
  assert found.gradient_norms.max() <= 1e-6
  for place, strength in enumerate(_STRENGTHS):
    model = linear_model.LogisticRegression(
      C=1.0 / strength, tol=1e-9, max_iter=5000
    ).fit(features.astype(np.float64), labels)
    weights = model.coef_.T
    assert np.abs(weights).max() > 0.01
    bound = 1e-3 * np.abs(weights).max()
    np.testing.assert_allclose(found.weights[place], weights, atol=bound)
    # Softmax knows biases up to a constant.
    biases = found.biases[place] - found.biases[place].mean()
    expected = model.intercept_ - model.intercept_.mean()
    np.testing.assert_allclose(biases, expected, atol=bound)


def test_path_of_several_labels_is_one_regression_a_class():
  features, labels = _several_labels()
  found = _path(features, labels)
  for place, strength in enumerate(_STRENGTHS):
    for column in range(_CLASSES):
      known = labels[:, column] >= 0
      assert 0 < known.sum() < _N
      model = linear_model.LogisticRegression(
        C=1.0 / strength, tol=1e-9, max_iter=5000
      ).fit(features[known].astype(np.float64), labels[known, column])
      bound = 1e-3 * np.abs(model.coef_).max()
      got = found.weights[place, :, column]
      np.testing.assert_allclose(got, model.coef_[0], atol=bound)
      bias = found.biases[place, column]
      np.testing.assert_allclose(bias, model.intercept_[0], atol=2 * bound)


def test_path_answers_in_the_order_asked():
  features, labels = _data()
  one = _path(features, labels)
  other = _path(features, labels, _STRENGTHS[::-1])
  np.testing.assert_allclose(other.weights[::-1], one.weights, atol=1e-6)
  norms = np.linalg.norm(one.weights, axis=(1, 2))
  np.testing.assert_array_equal(np.argsort(norms), [1, 2, 0])


def _separable():
  features, labels = _data()
  return features + 100.0 * np.eye(_CLASSES, _DIM)[labels], labels


def _class_missing():
  features, labels = _data()
  return features, np.where(labels == 2, 0, labels)


def _constant_feature():
  features, labels = _data()
  return np.where(np.arange(_DIM) == 3, 1000.0, features), labels


def _same_feature_twice():
  features, labels = _data()
  return features[:, [0, 1, 2, 3, 4, 5, 5]], labels


def _huge():
  features, labels = _data()
  return 1e4 * features, labels


def _tiny():
  features, labels = _data()
  return 1e-4 * features, labels


def _all_equal():
  features, labels = _data()
  return np.ones_like(features), np.arange(len(labels)) % _CLASSES


def _rows_of_all_lengths():
  rng = np.random.default_rng(21)
  features = rng.normal(size=(_N, _DIM))
  features *= np.exp(4.0 * rng.normal(size=(_N, 1)))
  return features, rng.integers(0, _CLASSES, _N)


def _wide():
  features, labels = _data(num=12, dim=30, seed=4)
  return features, labels


@pytest.mark.parametrize(
  "data",
  [
    _separable,
    _class_missing,
    _constant_feature,
    _same_feature_twice,
    _huge,
    _tiny,
    _all_equal,
    _rows_of_all_lengths,
    _wide,
  ],
)
def test_path_converges_at_the_extremes(data):
  features, labels = data()
  features = np.float32(features)
  strengths = (1e-6, 1e5, 1.0)
  limits = logistic.Limits(tolerance=1e-4, max_steps=300)
  found = _path(features, labels, strengths, limits)
  for x in found:
    assert np.all(np.isfinite(x))
  zero = np.zeros_like(found.weights[0])
  start = _gradient_norm(features, labels, zero, zero[0], 0.0)
  for row in zip(found.weights, found.biases, strengths, strict=True):
    assert _gradient_norm(features, labels, *row) <= 5e-4 * start
  assert found.num_steps.max() < 300


def test_path_leaves_a_constant_feature_alone():
  features, labels = _constant_feature()
  found = _path(np.float32(features), labels)
  weights = np.abs(found.weights).max(axis=(0, 2))
  assert weights[3] < 1e-5 * weights.max()


def test_path_treats_equal_features_alike():
  features, labels = _same_feature_twice()
  found = _path(features, labels, (1e-6, 1e5, 1.0))
  one, other = found.weights[:, 5], found.weights[:, 6]
  assert np.abs(one).max() > 0.01
  np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


def test_path_does_not_see_where_the_origin_is():
  features, labels = _data()
  one = _path(features, labels)
  other = _path(features + np.float32(8.0), labels)
  np.testing.assert_allclose(other.weights, one.weights, rtol=1e-2, atol=1e-4)
  expected = one.biases - 8.0 * one.weights.sum(axis=1)
  assert np.abs(expected - one.biases).max() > 0.1
  np.testing.assert_allclose(other.biases, expected, rtol=1e-2, atol=1e-2)
