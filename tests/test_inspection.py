"""The parts of the page, against plain NumPy and by hand."""

import json
import re

import numpy as np
import pytest
from matplotlib import figure
from sklearn import neighbors

from byol_jax import metrics
from byol_jax.inspection import (
  classes,
  colours,
  history,
  layout,
  neighbours,
  plots,
  script,
  spectrum,
)


def _features(count=150, dim=6, seed=0):
  return np.random.default_rng(seed).normal(size=(count, dim)).astype("f4")


def test_neighbours_are_those_of_scikit_learn():
  features = _features()
  found = neighbours.find(features, 5)
  search = neighbors.NearestNeighbors(n_neighbors=6, metric="cosine")
  distance, index = search.fit(features).kneighbors(features)
  np.testing.assert_array_equal(found.index, index[:, 1:])
  np.testing.assert_allclose(found.cosine, 1 - distance[:, 1:], atol=1e-5)


def test_a_picture_is_never_its_own_neighbour():
  features = np.repeat(_features(3), 4, axis=0)
  found = neighbours.find(features, 20)
  assert found.index.shape == (12, 11)
  own = np.arange(12)[:, None]
  assert not (found.index == own).any()
  # Those of the same kind first.
  assert (found.index[:, :3] // 4 == own // 4).all()
  assert all(len(set(row)) == 11 for row in found.index)


def test_confusion_counts_true_classes_in_rows():
  # Two tight groups; one picture of class 0 lies among those of class 1.
  features = np.array([[1, 0]] * 4 + [[0, 1]] * 5, np.float32)
  labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1], np.int32)
  near = neighbours.Neighbours(
    *(x[:, :3] for x in neighbours.find(features, 8))
  )
  found = neighbours.confusion(near, labels)
  np.testing.assert_array_equal(found.counts, [[4, 1], [0, 4]])
  assert found.accuracy == 8 / 9
  assert found.votes == 3
  assert classes.mistakes(found, 10) == [(0, 1, 1)]


def test_queries_come_from_all_parts():
  found = neighbours.queries(100, 10, seed=3)
  np.testing.assert_array_equal(found // 10, np.arange(10))
  assert len({*(found % 10)}) > 1
  np.testing.assert_array_equal(neighbours.queries(3, 10, 0), [0, 1, 2])


@pytest.mark.parametrize("count", [3, 40])
def test_the_map_keeps_groups_together(count):
  features = np.concatenate((_features(count) + 20, _features(count) - 20))
  found = layout.positions(features, "tsne", 0)
  assert found.shape == (2 * count, 2)
  assert found.min() >= -1e-6
  assert found.max() <= 1 + 1e-6
  assert np.ptp(found, axis=0).max() == pytest.approx(1)
  centres = found[:count].mean(axis=0), found[count:].mean(axis=0)
  if count > 3:
    assert np.linalg.norm(centres[0] - centres[1]) > 0.4


def test_the_map_depends_on_the_seed_alone():
  features = _features(30)
  first = layout.positions(features, "tsne", 1)
  np.testing.assert_array_equal(first, layout.positions(features, "tsne", 1))


def test_equal_features_lie_in_one_place():
  found = layout.positions(np.ones((5, 3), np.float32), "tsne", 0)
  np.testing.assert_array_equal(found, 0.5)


def test_spectrum_is_that_of_the_centred_features():
  features = _features(20) + 3.0
  found = spectrum.of(features)
  expected = np.linalg.svd(features - features.mean(axis=0))[1]
  np.testing.assert_allclose(found.values, expected, rtol=1e-4)
  assert found.effective_rank == pytest.approx(
    float(metrics.effective_rank(features))
  )
  unit = features / np.linalg.norm(features, axis=1, keepdims=True)
  cosines = (unit @ unit.T)[~np.eye(20, dtype=bool)]
  assert 0.5 < found.mean_cosine == pytest.approx(cosines.mean(), abs=1e-5)
  assert not found.is_collapsed


@pytest.mark.parametrize("scale", [0.0, 1e-3])
def test_collapse_is_seen(scale):
  assert spectrum.of(1.0 + scale * _features(20)).is_collapsed


@pytest.mark.parametrize(("count", "dim"), [(3, 64), (64, 2)])
def test_few_pictures_or_features_are_no_collapse(count, dim):
  found = spectrum.of(_features(count, dim))
  assert len(found.values) == 2
  assert found.values.min() > 0.1
  assert found.effective_rank < 2.0
  assert not found.is_collapsed
  assert found._replace(values=np.ones(8)).is_collapsed


def test_history_reads_the_record_of_a_checkpoint(tmp_path):
  lines = [{"step": step, "loss": 1.0 / step} for step in range(1, 1001)]
  lines[4]["learning_rate"] = 0.5
  lines[5]["learning_rate"] = float("inf")
  text = "".join(json.dumps(line) + "\n" for line in lines)
  (tmp_path / "metrics.jsonl").write_text(text)
  for place in ("", "checkpoints", "checkpoints/12"):
    (tmp_path / place).mkdir(exist_ok=True, parents=True)
    loss, rate = history.read(str(tmp_path / place))
    assert (loss.title, rate.title) == ("Loss", "Learning rate")
    (curve,) = loss.curves
    assert len(curve.steps) == 400
    assert curve.steps[-1] == 1000
    assert curve.values[0] == pytest.approx(np.mean([1, 1 / 2, 1 / 3]))
    assert rate.curves[0].steps.tolist() == [5]


def test_history_leaves_out_what_no_float_holds(tmp_path):
  huge = "9" * 400
  text = (
    f'{{"step": 1, "loss": {huge}}}\n{{"step": {huge}, "loss": 1}}\n'
    '{"step": 2, "loss": 3}\n{"step": 4, "loss": "5"}\n'
  )
  (tmp_path / "metrics.jsonl").write_text(text)
  ((_, (curve,)),) = history.read(str(tmp_path))
  assert (curve.steps.tolist(), curve.values.tolist()) == ([2], [3])


def test_a_curve_with_any_name_can_be_drawn():
  names = (r"$\frac$_top1", "$x$_top1")
  for shown in (names, names[:1]):
    lines = [{"step": 1} | dict.fromkeys(shown, 0.5)]
    drawn = figure.Figure()
    plots.draw_curves(drawn.subplots(), *history.panels(lines))
    text = plots.svg(drawn, "x")
    assert all(f">{name}<" in text for name in shown)


def test_history_is_empty_without_a_record(tmp_path):
  assert history.read(str(tmp_path)) == ()


@pytest.mark.parametrize("count", [1, 10, 11, 100])
def test_each_class_has_its_colour(count):
  found = colours.of_classes(count)
  assert len(set(found)) == len(found) == count
  assert all(len(x) == 7 and int(x[1:], 16) >= 0 for x in found)


def test_the_script_spreads_no_array_into_arguments():
  # Browsers take 100,000 arguments or so, and a page may have more numbers.
  assert "Math.min(" in script.JAVASCRIPT
  assert not re.findall(r"Math\.\w+\(\.\.\.", script.JAVASCRIPT)
