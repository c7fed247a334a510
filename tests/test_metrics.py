import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import metrics, objectives

LOGITS = jnp.array([[0.1, 0.5, 0.3, 0.2], [1.0, 1.0, 1.0, 1.0]])


@pytest.mark.parametrize(
  ("labels", "k", "expected"),
  [
    ([1, 0], 1, [True, True]),
    ([2, 1], 1, [False, False]),
    ([2, 1], 2, [True, True]),
    ([0, 3], 3, [False, False]),
    ([0, 3], 4, [True, True]),
  ],
)
def test_in_top_k_counts_ties_against_the_higher_class(labels, k, expected):
  labels = jnp.array(labels, jnp.int32)
  got = metrics.in_top_k(LOGITS, labels, k)
  np.testing.assert_array_equal(got, expected)


def statistics(unit1, unit2, num_devices):
  def spread(x):
    return x.reshape(num_devices, -1, x.shape[-1])

  result = jax.vmap(
    lambda x, y: metrics.collapse_statistics(x, y, "i"), axis_name="i"
  )(spread(unit1), spread(unit2))
  return {name: np.mean(value) for name, value in result.items()}


@pytest.mark.parametrize("num_devices", [1, 2, 4])
def test_collapse_statistics_match_numpy_on_any_number_of_devices(num_devices):
  x, y = objectives.unit(jax.random.normal(jax.random.key(0), (2, 8, 5)) + 0.5)
  got = statistics(x, y, num_devices)
  x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
  cosines = (x @ x.T)[~np.eye(8, dtype=bool)]
  np.testing.assert_allclose(
    got["projection_std"], x.std(axis=0).mean() * np.sqrt(5), rtol=1e-4
  )
  np.testing.assert_allclose(got["image_cosine"], cosines.mean(), rtol=1e-4)
  np.testing.assert_allclose(
    got["view_cosine"], np.sum(x * y, axis=-1).mean(), rtol=1e-4
  )


def test_collapse_statistics_tell_collapse_from_spread():
  spread = objectives.unit(jax.random.normal(jax.random.key(1), (512, 16)))
  one = jnp.broadcast_to(spread[:1], spread.shape)
  healthy, collapsed = (statistics(x, x, 1) for x in (spread, one))
  np.testing.assert_allclose(healthy["projection_std"], 1.0, atol=0.05)
  np.testing.assert_allclose(healthy["image_cosine"], 0.0, atol=0.05)
  np.testing.assert_allclose(collapsed["projection_std"], 0.0, atol=1e-3)
  np.testing.assert_allclose(collapsed["image_cosine"], 1.0, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_effective_rank_counts_equal_directions(rank):
  # Rows of plus and minus the unit vectors: `rank` equal singular values.
  features = np.zeros((2 * rank, 10), np.float32)
  features[:rank, :rank] = np.eye(rank)
  features[rank:, :rank] = -np.eye(rank)
  got = metrics.effective_rank(jnp.array(features))
  np.testing.assert_allclose(got, rank, rtol=1e-4)


def test_effective_rank_of_a_constant_is_zero():
  assert metrics.effective_rank(jnp.ones((6, 4))) == 0.0
