import jax
import numpy as np
import pytest
from sklearn import neighbors

from byol_jax import knn


def _votes(queries, bank, labels, **settings):
  settings = {
    "num_classes": 4,
    "num_neighbours": 5,
    "temperature": 0.07,
    **settings,
  }
  return np.asarray(knn.votes(queries, bank, labels, **settings))


def _data(num_queries=30, bank_size=50, dim=6):
  rng = np.random.default_rng(3)
  labels = rng.integers(0, 4, bank_size).astype(np.int32)
  bank = rng.normal(size=(bank_size, dim)).astype(np.float32)
  queries = rng.normal(size=(num_queries, dim)).astype(np.float32)
  return queries, bank, labels


@pytest.mark.parametrize("num_neighbours", [1, 5, 50])
def test_votes_equal_a_plain_loop(num_neighbours):
  queries, bank, labels = _data()
  expected = np.zeros((len(queries), 4))
  for row, query in enumerate(queries.astype(np.float64)):
    lengths = np.linalg.norm(bank, axis=1) * np.linalg.norm(query)
    cosines = bank @ query / lengths
    nearest = np.argsort(-cosines)[:num_neighbours]
    for place in nearest:
      weight = np.exp((cosines[place] - cosines[nearest[0]]) / 0.07)
      expected[row, labels[place]] += weight
  got = _votes(queries, bank, labels, num_neighbours=num_neighbours)
  np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
  assert got.max(axis=-1).min() >= 1.0


def test_votes_without_weights_are_scikit_learns():
  queries, bank, labels = _data()
  model = neighbors.KNeighborsClassifier(7, metric="cosine")
  expected = model.fit(bank, labels).predict_proba(queries)
  got = _votes(queries, bank, labels, num_neighbours=7, temperature=1e6)
  np.testing.assert_allclose(got / 7, expected, atol=1e-4)


def test_votes_do_not_depend_on_scale():
  queries, bank, labels = _data()
  got = _votes(queries, bank, labels)
  np.testing.assert_allclose(
    _votes(3.0 * queries, 0.1 * bank, labels), got, rtol=1e-4, atol=1e-6
  )


def test_equal_neighbours_share_the_votes():
  bank = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], np.float32)
  labels = np.array([2, 1, 0], np.int32)
  query = np.array([[2.0, 0.0]], np.float32)
  got = _votes(query, bank, labels, num_neighbours=2)
  np.testing.assert_allclose(got, [[0.0, 1.0, 1.0, 0.0]])


def test_among_equals_beyond_the_last_neighbour_the_first_counts():
  bank = np.ones((3, 2), np.float32)
  labels = np.array([3, 1, 0], np.int32)
  got = _votes(bank[:1], bank, labels, num_neighbours=1)
  np.testing.assert_allclose(got, [[0.0, 0.0, 0.0, 1.0]])


def test_small_temperatures_do_not_overflow():
  queries, bank, labels = _data()
  got = _votes(queries, bank, labels, temperature=1e-3)
  assert np.all(np.isfinite(got))
  nearest = _votes(queries, bank, labels, num_neighbours=1)
  assert np.all(np.asarray(jax.numpy.argmax(got, -1)) == nearest.argmax(-1))
