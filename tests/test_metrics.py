import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

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


@pytest.mark.parametrize("k", [1, 2, 5])
def test_in_top_k_agrees_with_scikit_learn(k):
  rng = np.random.default_rng(0)
  logits, labels = rng.normal(size=(60, 7)), rng.integers(0, 7, 60)
  expected = sklearn.metrics.top_k_accuracy_score(labels, logits, k=k)
  assert 0.0 < expected < 1.0
  got = metrics.in_top_k(logits.astype(np.float32), labels.astype(np.int32), k)
  np.testing.assert_allclose(np.mean(got), expected)


@pytest.mark.parametrize("k", [1, 5])
def test_in_top_k_calls_nan_wrong(k):
  logits = jnp.array([[jnp.nan] * 3, [jnp.nan, 1.0, 0.0], [1.0, 0.0, jnp.nan]])
  got = metrics.in_top_k(logits, jnp.array([0, 1, 2], jnp.int32), k)
  np.testing.assert_array_equal(got, [False, k > 1, False])


def test_mean_per_class_is_balanced_accuracy():
  rng = np.random.default_rng(1)
  labels = np.minimum(rng.geometric(0.4, 80), 5) - 1
  guesses = np.where(rng.random(80) < 0.6, labels, rng.integers(0, 5, 80))
  expected = sklearn.metrics.balanced_accuracy_score(labels, guesses)
  got = metrics.mean_per_class(guesses == labels, labels, 5)
  assert abs(got - np.mean(guesses == labels)) > 1e-3
  np.testing.assert_allclose(got, expected)


def test_mean_per_class_leaves_classes_without_examples_out():
  right, labels = np.array([1.0, 0.0, 1.0]), np.array([0, 0, 3])
  assert metrics.mean_per_class(right, labels, 6) == 0.75


@pytest.mark.parametrize(
  ("right", "labels", "message"),
  [
    ([], [], "at least one example"),
    ([True], [3], r"\[0, 3\).*3"),
    ([True, True], [0, -1], r"\[0, 3\).*-1"),
    ([True, True], [0], "as many"),
  ],
)
def test_mean_per_class_refuses(right, labels, message):
  with pytest.raises(ValueError, match=message):
    metrics.mean_per_class(np.array(right), np.array(labels, int), 3)


@pytest.mark.parametrize(
  ("scores", "labels", "expected"),
  [
    # Precision 1 up to recall 1/2 (six thresholds), then 2/3 (five).
    ([4, 3, 2, 1], [1, 0, 1, 0], (6 * 1.0 + 5 * 2 / 3) / 11),
    ([4, 3, 2, 1], [1, 1, 0, 0], 1.0),
    # Nothing tells them apart: everything is taken at once.
    ([1, 1, 1, 1], [1, 0, 0, 0], 0.25),
    # The worst row, difficult, is not counted against it.
    ([9, 4, 3, 2], [-1, 1, 1, 0], 1.0),
    # Ten positives, three before the first mistake: recall 0.3 is reached.
    ([9] * 3 + [5] + [1] * 7, [1] * 3 + [0] + [1] * 7, (4 + 7 * 10 / 11) / 11),
    # The two of NaN come last, together.
    ([np.nan, np.nan, 1.0], [1, 0, 1], (6 * 1.0 + 5 * 2 / 3) / 11),
  ],
)
def test_average_precision_11_by_hand(scores, labels, expected):
  got = metrics.average_precision_11(np.array(scores, float), np.array(labels))
  np.testing.assert_allclose(got, expected)


def _with_ties(num_rows, num_classes):
  """Scores of few values, and labels that they tell something about."""
  rng = np.random.default_rng(2)
  labels = (rng.random((num_rows, num_classes)) < 0.3).astype(np.int32)
  scores = rng.integers(0, 12, labels.shape) + 5.0 * labels
  return scores, labels


def test_average_precision_11_agrees_with_scikit_learns_curve():
  scores, labels = (x[:, 0] for x in _with_ties(97, 1))
  precision, recall, _ = sklearn.metrics.precision_recall_curve(labels, scores)
  # The last point of scikit-learn's curve belongs to no threshold.
  precision, recall = precision[:-1], recall[:-1]
  highest = [
    precision[recall >= threshold - 1e-9].max()
    for threshold in np.linspace(0.0, 1.0, 11)
  ]
  got = metrics.average_precision_11(scores, labels)
  assert 0.5 < got < 1.0
  np.testing.assert_allclose(got, np.mean(highest))


def test_average_precision_11_does_not_depend_on_the_order_of_rows():
  scores, labels = (x[:, 0] for x in _with_ties(97, 1))
  order = np.argsort(-labels, kind="stable")
  got = metrics.average_precision_11(scores[order], labels[order])
  assert got == metrics.average_precision_11(scores, labels)


def test_mean_average_precision_11_is_over_classes_with_positives():
  scores, labels = _with_ties(60, 4)
  labels[:, 2] = np.minimum(labels[:, 2], 0)
  labels[:30, 2] = -1
  expected = np.mean(
    [
      metrics.average_precision_11(scores[:, c], labels[:, c])
      for c in (0, 1, 3)
    ]
  )
  got = metrics.mean_average_precision_11(scores, labels)
  np.testing.assert_allclose(got, expected)


@pytest.mark.parametrize(
  ("labels", "message"),
  [
    ([[0], [-1]], "positive"),
    ([[1], [2]], "1, 0 or -1.*2"),
    ([[1], [0], [0]], "shape"),
  ],
)
def test_average_precisions_refuse(labels, message):
  scores, labels = np.array([[0.5], [0.1]]), np.array(labels)
  with pytest.raises(ValueError, match=message):
    metrics.mean_average_precision_11(scores, labels)
  with pytest.raises(ValueError, match=message):
    metrics.average_precision_11(scores[:, 0], labels[:, 0])


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
