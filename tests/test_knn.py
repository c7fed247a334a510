import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import neighbors

from byol_jax import knn
from byol_jax.evaluation import knn as protocol
from byol_jax.evaluation.features import Features

CLASSES = 4
TEMPERATURE = 0.07
VOTES = jax.jit(knn.votes, static_argnums=(1, 2))


def _data(num_queries=30, bank_size=50, dim=6):
  rng = np.random.default_rng(3)
  labels = rng.integers(0, CLASSES, bank_size).astype(np.int32)
  bank = rng.normal(size=(bank_size, dim)).astype(np.float32)
  queries = rng.normal(size=(num_queries, dim)).astype(np.float32)
  return queries, bank, labels


def _search(queries, bank, labels, num_neighbours, sizes=None):
  """Nearest neighbours in a bank that comes in pieces of these sizes."""
  nearest = knn.no_neighbours((1, len(queries)), num_neighbours)
  for rows in np.split(np.arange(len(bank)), np.cumsum(sizes or [])):
    if len(rows):
      piece = knn.Piece(jnp.array(bank[rows]), jnp.array(labels[rows]))
      nearest = jax.jit(knn.nearer)(nearest, jnp.array(queries)[None], piece)
  return jax.tree.map(lambda x: x[0], nearest)


def _votes(queries, bank, labels, num_neighbours=5, temperature=TEMPERATURE):
  nearest = _search(queries, bank, labels, num_neighbours)
  got = VOTES(nearest, CLASSES, (num_neighbours,), temperature)
  return np.asarray(got)[0]


def _cosines(queries, bank):
  queries, bank = queries.astype(np.float64), bank.astype(np.float64)
  lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(
    bank, axis=1
  )
  return queries @ bank.T / lengths


def _expected_votes(queries, bank, labels, num_neighbours):
  expected = np.zeros((len(queries), CLASSES))
  for row, cosines in enumerate(_cosines(queries, bank)):
    nearest = np.argsort(-cosines)[:num_neighbours]
    for place in nearest:
      weight = np.exp((cosines[place] - cosines[nearest[0]]) / TEMPERATURE)
      expected[row, labels[place]] += weight
  return expected


@pytest.mark.parametrize("sizes", [[], [20], [3, 30, 1]])
def test_search_finds_the_nearest_however_the_bank_is_cut(sizes):
  queries, bank, labels = _data()
  cosines = _cosines(queries, bank)
  order = np.argsort(-cosines, axis=1)[:, :7]
  nearest = _search(queries, bank, labels, 7, sizes)
  np.testing.assert_allclose(
    nearest.cosines, np.take_along_axis(cosines, order, axis=1), atol=1e-6
  )
  np.testing.assert_array_equal(nearest.labels, labels[order])


# Two rounds of groups with one neighbour, and columns that fill no group.
@pytest.mark.parametrize("num_neighbours", [1, 4])
def test_search_by_groups_is_exact(num_neighbours):
  queries, bank, _ = _data(bank_size=16 * 16 * 2 + 5)
  # The last five, in no group, are the nearest of the first five queries.
  bank[-5:] = queries[:5]
  places = np.arange(len(bank), dtype=np.int32)
  nearest = _search(queries, bank, places, num_neighbours)
  order = np.argsort(-_cosines(queries, bank), axis=1)[:, :num_neighbours]
  np.testing.assert_array_equal(nearest.labels, order)


def test_search_leaves_places_of_a_small_bank_empty():
  queries, bank, labels = _data(bank_size=3)
  nearest = _search(queries, bank, labels, 5)
  assert np.all(np.isfinite(nearest.cosines[:, :3]))
  np.testing.assert_array_equal(nearest.cosines[:, 3:], -np.inf)
  got = VOTES(nearest, CLASSES, (3, 5), TEMPERATURE)
  np.testing.assert_array_equal(got[0], got[1])
  assert np.min(np.max(got, axis=-1)) >= 1.0


def test_votes_equal_a_plain_loop_for_all_numbers_at_once():
  queries, bank, labels = _data()
  nearest = _search(queries, bank, labels, 50)
  got = VOTES(nearest, CLASSES, (50, 1, 5), TEMPERATURE)
  expected = [
    _expected_votes(queries, bank, labels, number) for number in (50, 1, 5)
  ]
  np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
  assert np.min(np.max(got, axis=-1)) >= 1.0


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


@pytest.mark.parametrize("sizes", [[], [100, 300]])
@pytest.mark.parametrize("num_neighbours", [1, 20])
def test_among_equals_the_earlier_in_the_bank_is_nearer(num_neighbours, sizes):
  queries, _, _ = _data(dim=40)
  # Unit vectors, so that equal cosines are equal to the last bit.
  kinds = np.random.default_rng(4).integers(0, 40, 700)
  bank, places = np.eye(40, dtype=np.float32)[kinds], np.arange(700)
  order = np.argsort(-queries[:, kinds], axis=1, kind="stable")
  nearest = _search(queries, bank, places, num_neighbours, sizes)
  np.testing.assert_array_equal(nearest.labels, order[:, :num_neighbours])


def test_small_temperatures_do_not_overflow():
  queries, bank, labels = _data()
  got = _votes(queries, bank, labels, temperature=1e-3)
  assert np.all(np.isfinite(got))
  nearest = _votes(queries, bank, labels, num_neighbours=1)
  np.testing.assert_array_equal(got.argmax(-1), nearest.argmax(-1))


def _features(representation, labels):
  logits = np.zeros((len(representation), 0), np.float32)
  return Features(representation, logits, labels)


SETTINGS = protocol.Settings((1, 5, 20), TEMPERATURE)


@functools.cache
def _parts():
  """A bank and test pictures of 9 classes that overlap."""
  rng = np.random.default_rng(5)
  labels = rng.integers(0, 9, 431).astype(np.int32)
  mixed = np.eye(9, 12)[labels] + 0.5 * rng.normal(size=(431, 12))
  mixed = mixed.astype(np.float32)
  return _features(mixed[:131], labels[:131]), _features(
    mixed[131:], labels[131:]
  )


def _expected_scores(bank, test):
  """Shares by plain NumPy in float64."""
  cosines = _cosines(test.representation, bank.representation)
  found = {}
  for number in SETTINGS.neighbours:
    order = np.argsort(-cosines, axis=1)[:, :number]
    weights = np.exp(np.take_along_axis(cosines, order, axis=1) / TEMPERATURE)
    votes = np.zeros((len(cosines), 9))
    for row in range(len(cosines)):
      np.add.at(votes[row], bank.labels[order[row]], weights[row])
    ranked = np.argsort(-votes, axis=1, kind="stable")
    for top in (1, 5):
      right = np.any(ranked[:, :top] == test.labels[:, None], axis=1)
      found[f"top{top}_k{number}"] = np.mean(right)
  return found


@pytest.mark.parametrize("max_rows", [2**16, 100])
def test_scores_equal_plain_numpy_however_the_work_is_cut(
  max_rows, monkeypatch
):
  # 300 test pictures in one pass or two, a bank of 131 in one piece or two.
  monkeypatch.setattr(protocol, "_MAX_ROWS", max_rows)
  bank, test = _parts()
  expected = _expected_scores(bank, test)
  assert len(set(expected.values())) > 3
  got = protocol.scores(bank, test, 9, SETTINGS)
  assert got == pytest.approx(expected)


def test_scores_do_not_depend_on_the_number_of_devices(monkeypatch):
  bank, test = _parts()
  two = protocol.scores(bank, test, 9, SETTINGS)
  assert jax.local_device_count() == 2
  with monkeypatch.context() as patch:
    _use_one_device(patch)
    assert protocol.scores(bank, test, 9, SETTINGS) == two


def _use_one_device(patch):
  """Makes JAX count, and spread over, the first device alone."""
  device = jax.local_devices()[:1]
  patch.setattr(jax, "local_devices", lambda: device)
  patch.setattr(jax, "local_device_count", lambda: 1)
  patch.setattr(jax, "device_count", lambda: 1)
  pmap = functools.partial(jax.pmap, devices=device)
  patch.setattr(jax, "pmap", pmap)
  for name in ("_search", "_judge"):
    patch.setattr(protocol, name, getattr(protocol, name).__wrapped__)


def test_scores_of_a_bank_smaller_than_all_numbers_agree():
  bank, test = _parts()
  small = _features(bank.representation[:12], bank.labels[:12])
  settings = protocol.Settings((12, 200), TEMPERATURE)
  got = protocol.scores(small, test, 9, settings)
  assert got["top1_k200"] == got["top1_k12"] > 0.2


def test_scores_of_nan_are_zero():
  bank, test = _parts()
  broken = test._replace(representation=test.representation * np.nan)
  got = protocol.scores(bank, broken, 9, SETTINGS)
  assert set(got.values()) == {0.0}


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"labels": np.zeros(0, np.int32)}, "one label.*test"),
    ({"labels": np.zeros((300, 9), np.int32)}, "one label.*test"),
    ({"labels": np.full(300, 9, np.int32)}, r"\[0, 9\), got 9 \(test\)"),
    ({"representation": np.ones((300, 5), np.float32)}, "12 dim.* 5"),
  ],
)
def test_scores_refuse(change, message):
  bank, test = _parts()
  with pytest.raises(ValueError, match=message):
    protocol.scores(bank, test._replace(**change), 9, SETTINGS)
