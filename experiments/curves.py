"""How metrics went while the rows of an experiment were trained."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib import figure

from . import declare, grouping, results, style


def training(
  experiment: declare.Experiment,
  lines: Sequence[results.Line],
  names: Sequence[str],
) -> figure.Figure | None:
  """How metrics went while each row was trained, a panel for each.

  Args:
    experiment: its declaration.
    lines: of the experiment as it is declared now.
    names: of the metrics.

  Returns:
    The mean over seeds; None without any recorded curve.
  """
  names = [x for x in names if any(x in line["curve"] for line in lines)]
  if not names:
    return None
  with matplotlib.rc_context(style.STYLE):
    width = max(style.WIDTH, 3.0 * len(names))
    made = figure.Figure((width, 3.6), layout="constrained")
    panels = np.ravel(made.subplots(1, len(names), squeeze=False))
    for panel, name in zip(panels, names, strict=True):
      panel.set_title(name)
      panel.set_xlabel("step")
      for at, (label, mine) in enumerate(grouping.labelled(experiment, lines)):
        steps, values = _mean_curve(mine, name)
        look = ("-", "--", ":")[at // len(style.COLOURS) % 3]
        colour = style.COLOURS[at % len(style.COLOURS)]
        panel.plot(steps, values, look, color=colour, label=label)
    handles, labels = panels[0].get_legend_handles_labels()
    columns = 2 if max(map(len, labels)) > 30 else 3
    made.legend(handles, labels, loc="outside lower left", ncols=columns)
  return made


def _mean_curve(lines, name: str):
  """Steps and mean values over the seeds that recorded them."""
  found: dict[int, list[float]] = {}
  by_seed: Mapping = {line["seed"]: line for line in lines}
  for line in by_seed.values():
    for step, value in line["curve"].get(name, ()):
      found.setdefault(step, []).append(value)
  steps = sorted(found)
  return steps, [float(np.mean(found[step])) for step in steps]
