"""Numbers over another number: as lines, or as points with their names."""

from collections.abc import Sequence

import numpy as np
from matplotlib import axes, figure

from . import comparison, declare, style

_HEIGHT, _HIGHER = 3.4, 4.6  # Inches.
# An axis over a wider range is logarithmic.
_WIDE = 20.0
# Labels that are closer, as a share of the axis, would overlap.
_ROOM = 0.075
_NEAR = 0.1  # Of the range of the points.
_LOST_AT = 0.03  # Above the axis, where no value can be read off.


def lines(
  experiment: declare.Experiment,
  sources: Sequence[comparison.Numbers],
  labels: Sequence[str],
) -> figure.Figure:
  """One line for each column, over the rows' numbers.

  Args:
    experiment: its declaration.
    sources: the numbers of each panel.
    labels: of each panel's lower axis.
  """
  made, panels = style.panels(
    experiment, _HEIGHT, sharex=True, sharey=bool(experiment.baseline)
  )
  x = np.array([row.x for row in experiment.rows], float)
  for panel, numbers, label in zip(panels, sources, labels, strict=True):
    for at, column in enumerate(experiment.columns):
      colour = style.COLOURS[at % len(style.COLOURS)]
      _line(panel, x, [field[:, at] for field in numbers], colour, column.title)
    if numbers.lost.any():
      panel.plot([], [], "x", color="#555555", label="diverged")
    _scale_axis(panel, x)
    panel.set(xlabel=label, ylabel=style.unit(experiment))
  style.legend(made, panels[-1])
  return made


def scatter(
  experiment: declare.Experiment,
  sources: Sequence[comparison.Numbers],
  labels: Sequence[str],
) -> figure.Figure:
  """One colour for each series of rows, each point with its row's name.

  Args:
    experiment: of one column; rows without `x` are named as left out.
    sources: the numbers of each panel.
    labels: of each panel's lower axis.
  """
  made, panels = style.panels(experiment, _HIGHER, sharex=True)
  x = np.array([row.x for row in experiment.rows], float)  # None is NaN.
  names = list(dict.fromkeys(row.series for row in experiment.rows))
  for panel, numbers, label in zip(panels, sources, labels, strict=True):
    for at, name in enumerate(names):
      mine = np.array([row.series == name for row in experiment.rows])
      panel.plot(
        *(x[mine], numbers.mean[mine, 0]),
        "o",
        color=style.COLOURS[at % len(style.COLOURS)],
        label=name,
      )
    _write_names(panel, experiment.rows, np.stack((x, numbers.mean[:, 0])))
    _scale_axis(panel, x[np.isfinite(x)])
    panel.margins(x=0.2)
    panel.set(xlabel=label, ylabel=style.unit(experiment))
  left_out = [row.name for row in experiment.rows if row.x is None]
  if left_out:
    note = f"Left out, without a number: {', '.join(left_out)}"
    panels[0].annotate(
      note, (0.02, 0.02), xycoords="axes fraction", fontsize=7.5
    )
  style.legend(made, panels[0])
  return made


def _line(panel: axes.Axes, x: np.ndarray, numbers, colour, label) -> None:
  """Means with their spread, and a cross for what diverged."""
  order = np.argsort(x)
  x, (mean, spread, lost) = x[order], [field[order] for field in numbers]
  there = np.isfinite(mean)
  panel.errorbar(
    *(x[there], mean[there], spread[there]),
    color=colour,
    marker="o",
    markersize=4.0,
    capsize=2.0,
    label=label,
  )
  if lost.any():
    panel.plot(
      *(x[lost], np.full(lost.sum(), _LOST_AT)),
      "x",
      color=colour,
      transform=panel.get_xaxis_transform(),
    )


def _write_names(panel: axes.Axes, rows, places: np.ndarray) -> None:
  """Above each point, or beside it where another point is above."""
  there = np.isfinite(places).all(axis=0)
  x, y = places[:, there]
  near = _NEAR * np.ptp(y)
  for row, *place in zip(np.flatnonzero(there), x, y, strict=True):
    above = y - place[1]
    is_crowded = np.any((x == place[0]) & (above > 0) & (above < near))
    panel.annotate(
      rows[row].name,
      place,
      xytext=(5, -2) if is_crowded else (0, 4),
      textcoords="offset points",
      ha="left" if is_crowded else "center",
      fontsize=6.0,
    )


def _scale_axis(panel: axes.Axes, x: np.ndarray) -> None:
  """A tick at each number that has room for it."""
  positive = x[x > 0]
  if len(positive) and positive.max() / positive.min() > _WIDE:
    if len(positive) == len(x):
      panel.set_xscale("log")
    else:
      panel.set_xscale("symlog", linthresh=positive.min())
  ticks = np.unique(x)
  ticks = ticks[with_room(panel.xaxis.get_transform().transform(ticks))]
  panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks], rotation=30)
  panel.minorticks_off()


def with_room(places: np.ndarray) -> list[int]:
  """Which ticks to label, so that no two labels overlap.

  Args:
    places: [ticks] along the axis, ascending, in any unit.

  Returns:
    Their indices, with the first and the last.
  """
  last = len(places) - 1
  least = _ROOM * (places[last] - places[0])
  kept = [0]
  for at in range(1, last):
    before, after = places[at] - places[kept[-1]], places[last] - places[at]
    if min(before, after) >= least:
      kept.append(at)
  return kept + [last] * (last > 0)
