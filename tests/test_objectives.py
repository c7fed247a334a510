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


def normalized(x, kind, num_devices=1):
  """What several devices make of [batch, dim] together."""
  parts = x.reshape(num_devices, -1, x.shape[-1])
  mapped = jax.vmap(
    lambda part: objectives.normalize(part, kind, "devices"),
    axis_name="devices",
  )
  return np.asarray(mapped(parts)).reshape(x.shape)


@pytest.mark.parametrize("num_devices", [1, 2])
@pytest.mark.parametrize("kind", ["l2", "layer", "batch", "none"])
def test_normalize_matches_numpy(kind, num_devices):
  x = np.random.default_rng(0).normal(3.0, 2.0, (6, 4)).astype(np.float32)
  of_rows = x - x.mean(axis=1, keepdims=True)
  expected = {
    "l2": x / np.linalg.norm(x, axis=1, keepdims=True),
    # Zero mean and unit variance, divided by the root of the dimension.
    "layer": of_rows / of_rows.std(axis=1, keepdims=True) / 2.0,
    "batch": (x - x.mean(axis=0)) / x.std(axis=0) / 2.0,
    "none": x,
  }[kind]
  np.testing.assert_allclose(
    normalized(x, kind, num_devices), expected, rtol=1e-4, atol=1e-6
  )


@pytest.mark.parametrize("kind", ["l2", "layer", "batch"])
def test_normalize_is_finite_where_all_is_equal(kind):
  x = jnp.ones((4, 3))
  grad = jax.grad(
    lambda x: jnp.sum(
      objectives.normalize(x, kind, "devices") * jnp.arange(3.0)[None]
    )
  )
  assert jnp.all(jnp.isfinite(jax.vmap(grad, axis_name="devices")(x[None])))


def test_negative_loss_matches_numpy():
  cosines = np.random.default_rng(0).uniform(-1, 1, (3, 7))
  cosines[0, 2] = -np.inf
  expected = 2 * 0.3 * np.log(np.sum(np.exp(cosines / 0.3), axis=1)) - 2
  found = objectives.negative_loss(jnp.float32(cosines), 0.3)
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_negative_loss_survives_a_small_temperature():
  found = objectives.negative_loss(jnp.array([[1.0, -1.0]]), 0.001)
  np.testing.assert_allclose(found, 0.0, atol=1e-5)
