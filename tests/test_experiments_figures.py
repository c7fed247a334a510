"""What the pictures of the experiments show."""

import math

import numpy as np
import pytest
from fake_runs import BYOL, NO_TARGET, experiment

from experiments import comparison, figures, points, scales, table16
from experiments import figure1 as figure1_lib

DESK, PAPER = scales.SCALES["desk"], scales.SCALES["paper"]
X = (BYOL._replace(x=1024.0), NO_TARGET._replace(x=4096.0))


@pytest.fixture
def draw(monkeypatch):
  """Draws made-up scores of ours, NaN for what diverged."""

  def run(made, values, scale=DESK):
    mean = np.array(values, float).reshape(len(made.rows), -1)
    ours = comparison.Numbers(mean, np.zeros_like(mean), np.isnan(mean))
    monkeypatch.setattr(comparison, "measured", lambda *arguments: ours)
    return figures.scores(made, scale, [])

  return run


def _titles(picture):
  return [panel.get_title(loc="left") for panel in picture.axes]


@pytest.mark.parametrize("rows", [(BYOL, NO_TARGET), X])
@pytest.mark.parametrize(
  ("paper", "titles"), [("table5b", ["paper", "ours"]), ("", ["ours"])]
)
def test_what_no_paper_has_is_one_panel(draw, rows, paper, titles):
  picture = draw(experiment(*rows)._replace(paper=paper), [50, 60])
  assert _titles(picture) == titles


@pytest.mark.parametrize(
  ("rows", "limits"),
  [((BYOL, NO_TARGET), "get_xlim"), (X, "get_ylim")],
)
@pytest.mark.parametrize("baseline", ["", "BYOL"])
def test_differences_have_one_axis(draw, rows, limits, baseline):
  picture = draw(experiment(*rows, baseline=baseline), [50, 45])
  paper, ours = [getattr(panel, limits)() for panel in picture.axes]
  assert (paper == ours) == bool(baseline)


def test_what_diverged_is_marked_on_a_curve(draw):
  ours = draw(experiment(*X), [50, math.nan]).axes[1]
  crosses = [line for line in ours.lines if line.get_marker() == "x"]
  assert [x for cross in crosses for x in cross.get_xdata()] == [4096.0]
  assert "diverged" in ours.get_legend_handles_labels()[1]


def test_what_diverged_is_written_at_its_bar(draw):
  made = experiment(BYOL, NO_TARGET)._replace(paper="")
  (ours,) = draw(made, [50, math.nan]).axes
  (text,) = [text for text in ours.texts if text.get_text() == "diverged"]
  low, high = sorted(ours.get_ylim())
  assert low < text.xy[1] < high


@pytest.mark.parametrize(
  ("scale", "label"), [(PAPER, table16.AXIS), (DESK, table16.AXIS_ELSEWHERE)]
)
def test_smaller_scales_say_what_their_batches_are(draw, scale, label):
  (made,) = table16.EXPERIMENTS
  picture = draw(made, np.ones((7, 4)), scale)
  labels = [panel.get_xlabel() for panel in picture.axes]
  assert labels == [table16.AXIS, label]


def test_figure1_has_a_series_for_each_method(draw):
  (made,) = figure1_lib.EXPERIMENTS
  ours = [80.0 if row.changes is not None else math.nan for row in made.rows]
  paper, _ = draw(made, ours).axes
  found = {line.get_label(): line.get_xydata().tolist() for line in paper.lines}
  byol = [[24, 74.3], [94, 77.4], [250, 79.6], [375, 78.6]]
  assert sorted(found["BYOL"]) == byol
  assert sorted(found["SimCLR"]) == [[24, 69.3], [94, 74.2], [375, 76.5]]
  assert sorted(map(len, found.values())) == [3, 4, 4, 6]
  names = [text.get_text() for text in paper.texts]
  assert "Left out, without a number: AMDIM" in names
  assert "AMDIM" not in names


@pytest.mark.parametrize(
  ("places", "kept"),
  [
    (range(7), list(range(7))),
    ([0, 1, 20, 99, 100], [0, 2, 4]),
    ([0, 99, 100], [0, 2]),
    ([5], [0]),
  ],
)
def test_labels_do_not_overlap(places, kept):
  assert points.with_room(np.array(places, float)) == kept
