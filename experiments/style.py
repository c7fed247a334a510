"""How the pictures of the experiments look."""

import textwrap
from collections.abc import Sequence

from matplotlib import axes, figure

from . import declare, paper

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
WIDTH = 9.0  # Inches.
_ENTRIES = 5  # Of a legend, side by side.
_LONGEST_LINE = 44


def panels(
  experiment: declare.Experiment, height: float, **shared: bool
) -> tuple[figure.Figure, Sequence[axes.Axes]]:
  """A picture of two panels, paper and ours; of a table of ours only one.

  Args:
    experiment: its declaration.
    height: in inches.
    **shared: `sharex`, `sharey`.
  """
  made = figure.Figure((WIDTH, height), layout="constrained")
  titles = ("paper", "ours") if experiment.paper else ("ours",)
  found = made.subplots(1, len(titles), squeeze=False, **shared)[0]
  for panel, title in zip(found, titles, strict=True):
    panel.set_title(title)
  made.suptitle(experiment.title, x=0.01, ha="left")
  return made, found


def legend(made: figure.Figure, panel: axes.Axes) -> None:
  """Names what is drawn, below, if it is more than one thing."""
  handles, labels = panel.get_legend_handles_labels()
  if len(labels) > 1:
    columns = min(len(labels), _ENTRIES)
    made.legend(handles, labels, loc="outside lower left", ncols=columns)


def unit(experiment: declare.Experiment) -> str:
  """What the numbers are."""
  name = paper.table(experiment.paper)["unit"]
  if all(column.is_share for column in experiment.columns):
    name = name.partition(" and ")[0]  # Of other columns, which are not drawn.
  if experiment.baseline:
    return f"{name}, difference to {short(experiment.baseline)}"
  return name


def short(name: str) -> str:
  """A name in at most two lines, to leave room for the picture."""
  return textwrap.fill(name, _LONGEST_LINE, max_lines=2, placeholder="...")
