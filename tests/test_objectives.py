import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import objectives


def pair(seed=0, shape=(5, 3)):
  return jax.random.normal(jax.random.key(seed), (2, *shape))


def regression_loss(x, y):
  """Of the directions."""
  return objectives.regression_loss(objectives.unit(x), objectives.unit(y))


def test_regression_loss_is_two_minus_two_cosines():
  x, y = np.asarray(pair(), np.float64)
  norms = np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1)
  expected = 2.0 - 2.0 * np.sum(x * y, axis=-1) / norms
  loss = regression_loss(jnp.float32(x), jnp.float32(y))
  np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 7.0])
def test_regression_loss_ignores_scale(scale):
  x, y = pair()
  loss = regression_loss(x, y)
  assert jnp.all(loss > 0.0)
  scaled = regression_loss(scale * x, y / scale)
  np.testing.assert_allclose(scaled, loss, rtol=1e-5)


def test_regression_loss_spans_zero_to_four():
  x = jnp.array([[3.0, 4.0], [3.0, 4.0], [3.0, 4.0]])
  y = jnp.array([[6.0, 8.0], [-3.0, -4.0], [4.0, -3.0]])
  loss = regression_loss(x, y)
  np.testing.assert_allclose(loss, [0.0, 4.0, 2.0], atol=1e-6)


def test_regression_loss_is_finite_at_zero():
  x = jnp.zeros((2, 3))
  y = jnp.ones((2, 3))
  grad = jax.grad(lambda x: regression_loss(x, y).sum())(x)
  assert jnp.all(jnp.isfinite(grad))
  np.testing.assert_allclose(regression_loss(x, y), 1.0, rtol=1e-6)


def test_regression_loss_refuses_different_shapes():
  with pytest.raises(AssertionError):
    objectives.regression_loss(jnp.ones((2, 3)), jnp.ones((2, 4)))


def test_classification_loss_matches_numpy():
  logits = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]])
  labels = np.array([2, 1], np.int32)
  probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
  expected = -np.log(probabilities[[0, 1], labels])
  loss = objectives.classification_loss(jnp.float32(logits), labels)
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
