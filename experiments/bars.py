"""Bars: a group for each row, a bar for each column."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib import axes, figure

from . import comparison, declare, style

_BAR, _GAP, _MARGIN, _LEAST = 0.2, 0.12, 1.3, 2.4  # Inches of height.
_GROUP = 0.85  # Of the distance of two rows.


def draw(
  experiment: declare.Experiment, sources: Sequence[comparison.Numbers]
) -> figure.Figure:
  """Horizontal bars; what there is more of, rows or columns, goes down.

  Args:
    experiment: its declaration.
    sources: the numbers of each panel.
  """
  rows = [row.name for row in experiment.rows]
  columns = [column.title for column in experiment.columns]
  if len(columns) > len(rows):
    sources = [comparison.Numbers(*(field.T for field in x)) for x in sources]
    rows, columns = columns, rows
  height = max(_LEAST, _MARGIN + len(rows) * (_BAR * len(columns) + _GAP))
  # Differences are compared with the paper's, scores only with each other.
  made, panels = style.panels(
    experiment, height, sharey=True, sharex=bool(experiment.baseline)
  )
  for panel, numbers in zip(panels, sources, strict=True):
    for at, column in enumerate(columns):
      _draw(panel, numbers, (at, len(columns)), style.short(column))
    panel.margins(x=0.14)
    panel.set_xlabel(style.unit(experiment))
    panel.grid(axis="y", visible=False)
    panel.tick_params(axis="y", length=0)
  if all(np.nanmin(x.mean, initial=0.0) >= 0.0 for x in sources):
    for panel in panels:
      panel.set_xlim(left=0.0)
  names = [style.short(row) for row in rows]
  panels[0].set_yticks(np.arange(len(rows)), names)
  # Also a row without a bar; the first at the top.
  panels[0].set_ylim(len(rows) - 0.5, -0.5)
  style.legend(made, panels[0])
  return made


def _draw(panel: axes.Axes, numbers, place, label: str) -> None:
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
    color=style.COLOURS[at % len(style.COLOURS)],
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
