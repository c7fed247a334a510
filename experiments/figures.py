"""Pictures of an experiment: the paper's numbers beside ours."""

import io
import pathlib
from collections.abc import Sequence

import matplotlib
from matplotlib import figure

from . import (
  bars,
  comparison,
  declare,
  points,
  results,
  scales,
  style,
)

_DPI = 120
_PAPER = "paper"


def scores(
  experiment: declare.Experiment,
  scale: scales.Scale,
  lines: Sequence[results.Line],
) -> figure.Figure:
  """The paper's numbers to the left, ours to the right.

  Of columns of several units, those in per cent; all are in the table.

  Named points where the rows have series, curves where every row has a number
  `x`, else bars.

  Args:
    experiment: its declaration.
    scale: where it was run.
    lines: of the experiment as it is declared now.
  """
  shares = tuple(x for x in experiment.columns if x.is_share)
  experiment = experiment._replace(columns=shares or experiment.columns)
  sources = [comparison.measured(experiment, lines)]
  labels = [experiment.axis]
  if scale.name != _PAPER and experiment.axis_elsewhere:
    labels = [experiment.axis_elsewhere]
  if experiment.paper:
    sources.insert(0, comparison.printed(experiment))
    labels.insert(0, experiment.axis)
  sources = [comparison.relative(experiment, x) for x in sources]
  with matplotlib.rc_context(style.STYLE):
    if any(row.series for row in experiment.rows):
      return points.scatter(experiment, sources, labels)
    if all(row.x is not None for row in experiment.rows):
      return points.lines(experiment, sources, labels)
    return bars.draw(experiment, sources)


def save(made: figure.Figure, file: pathlib.Path) -> None:
  """Writes a PNG."""
  made.savefig(file, dpi=_DPI, metadata={"Software": None})


def svg(made: figure.Figure) -> bytes:
  """The picture as an SVG file."""
  out = io.BytesIO()
  with matplotlib.rc_context(style.STYLE):
    made.savefig(out, format="svg", metadata={"Date": None})
  return out.getvalue()
