"""Pictures of an experiment: the paper's numbers beside ours."""

import io
import math
import pathlib
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib import axes, figure

from experiments import comparison, declare, paper, results

# Okabe and Ito's colours, which colour-blind people can tell apart.
COLOURS = (
  "#0072B2",
  "#D55E00",
  "#009E73",
  "#CC79A7",
  "#E69F00",
  "#56B4E9",
  "#000000",
)
STYLE = {
  "font.size": 9.0,
  "axes.spines.top": False,
  "axes.spines.right": False,
  "axes.titlesize": 10.0,
  "axes.titleweight": "bold",
  "axes.titlelocation": "left",
  "axes.grid": True,
  "axes.axisbelow": True,
  "grid.color": "#e6e6e6",
  "legend.frameon": False,
  "svg.hashsalt": "byol",  # The same picture is the same file.
  "svg.fonttype": "none",  # Text stays text.
}
_DPI, WIDTH = 120, 9.0  # Inches.
_BAR, _GAP, _MARGIN, _LEAST = 0.2, 0.12, 1.3, 2.4  # Inches of height.
_GROUP = 0.85  # Of the distance of two rows.
_LONGEST_NAME = 44
# An axis over a wider range is logarithmic.
_WIDE = 20.0


def scores(
  experiment: declare.Experiment, lines: Sequence[results.Line]
) -> figure.Figure:
  """The paper's numbers to the left, ours to the right.

  Curves where every row has a number `x`, else bars.

  Args:
    experiment: its declaration.
    lines: of the experiment as it is declared now.
  """
  both = [
    comparison.relative(experiment, numbers)
    for numbers in (
      comparison.printed(experiment),
      comparison.measured(experiment, lines),
    )
  ]
  with matplotlib.rc_context(STYLE):
    if all(row.x is not None for row in experiment.rows):
      return _curves(experiment, both)
    return _bars(experiment, both)


def save(made: figure.Figure, file: pathlib.Path) -> None:
  """Writes a PNG."""
  made.savefig(file, dpi=_DPI, metadata={"Software": None})


def svg(made: figure.Figure) -> bytes:
  """The picture as an SVG file."""
  out = io.BytesIO()
  with matplotlib.rc_context(STYLE):
    made.savefig(out, format="svg", metadata={"Date": None})
  return out.getvalue()


def _curves(experiment: declare.Experiment, both: Sequence[comparison.Numbers]):
  """One line for each column, over the rows' numbers."""
  made, panels = _panels(experiment, 3.4, share=False)
  x = np.array([row.x for row in experiment.rows], float)
  order = np.argsort(x)
  for panel, numbers in zip(panels, both, strict=True):
    for at, column in enumerate(experiment.columns):
      mean = numbers.mean[order, at]
      there = np.isfinite(mean)
      panel.errorbar(
        x[order][there],
        mean[there],
        numbers.spread[order, at][there],
        color=COLOURS[at % len(COLOURS)],
        marker="o",
        markersize=4.0,
        capsize=2.0,
        label=column.title,
      )
    _scale_axis(panel, x)
    panel.set(xlabel=experiment.axis, ylabel=_unit(experiment))
  _legend(made, panels[0], len(experiment.columns))
  return made


def _scale_axis(panel: axes.Axes, x: np.ndarray) -> None:
  positive = x[x > 0]
  if len(positive) and positive.max() / positive.min() > _WIDE:
    if len(positive) == len(x):
      panel.set_xscale("log")
    else:
      panel.set_xscale("symlog", linthresh=positive.min())
  ticks = np.unique(x)
  panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks], rotation=30)
  panel.minorticks_off()


def _bars(experiment: declare.Experiment, both: Sequence[comparison.Numbers]):
  """Horizontal bars; what there is more of, rows or columns, goes down."""
  rows = [row.name for row in experiment.rows]
  columns = [column.title for column in experiment.columns]
  if len(columns) > len(rows):
    both = [comparison.Numbers(*(field.T for field in x)) for x in both]
    rows, columns = columns, rows
  height = _MARGIN + len(rows) * (_BAR * len(columns) + _GAP)
  made, panels = _panels(experiment, max(_LEAST, height), share=True)
  for panel, numbers in zip(panels, both, strict=True):
    for at, column in enumerate(columns):
      _draw_bars(panel, numbers, (at, len(columns)), _short(column))
    panel.margins(x=0.14, y=0.02)
    if not np.nanmin(numbers.mean, initial=0.0) < 0.0:
      panel.set_xlim(left=0.0)
    panel.set_xlabel(_unit(experiment))
    panel.grid(axis="y", visible=False)
    panel.tick_params(axis="y", length=0)
  panels[0].set_yticks(np.arange(len(rows)), [_short(row) for row in rows])
  panels[0].invert_yaxis()
  _legend(made, panels[0], len(columns))
  return made


def _draw_bars(panel: axes.Axes, numbers, place, label: str) -> None:
  """One bar in each group, the first of several at its top."""
  at, count = place
  thick = _GROUP / count
  places = np.arange(len(numbers.mean)) + (at + 0.5) * thick - _GROUP / 2
  values, spread = numbers.mean[:, at], numbers.spread[:, at]
  there = np.isfinite(values)
  panel.barh(
    places[there],
    values[there],
    thick * 0.9,
    xerr=spread[there] if spread.any() else None,
    color=COLOURS[at % len(COLOURS)],
    error_kw={"lw": 1.0, "capsize": 2.0, "ecolor": "#555555"},
    label=label,
  )
  lost = numbers.lost[:, at]
  for middle, *shown in zip(places, values, spread, lost, strict=True):
    _write_value(panel, middle, shown)


def _write_value(panel: axes.Axes, place: float, shown) -> None:
  """The number behind its bar."""
  value, half, lost = shown
  if not math.isfinite(value):
    value, text = 0.0, "diverged" if lost else ""
  else:
    text = f"{value:.1f}"
  end, side = (value + half, 1) if value >= 0 else (value - half, -1)
  panel.annotate(
    text,
    (end, place),
    xytext=(3 * side, 0),
    textcoords="offset points",
    va="center",
    ha="left" if side > 0 else "right",
    fontsize=7.5,
  )


def _panels(experiment: declare.Experiment, height: float, share: bool):
  made = figure.Figure((WIDTH, height), layout="constrained")
  panels = made.subplots(1, 2, sharey=share)
  panels[0].set_title("paper")
  panels[1].set_title("ours")
  made.suptitle(experiment.title, x=0.01, ha="left")
  return made, panels


def _legend(made: figure.Figure, panel: axes.Axes, count: int) -> None:
  if count > 1:
    handles, labels = panel.get_legend_handles_labels()
    made.legend(handles, labels, loc="outside lower left", ncols=min(count, 5))


def _unit(experiment: declare.Experiment) -> str:
  unit = paper.table(experiment.paper)["unit"]
  if experiment.baseline:
    return f"{unit}, difference to {_short(experiment.baseline)}"
  return unit


def _short(name: str) -> str:
  return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
