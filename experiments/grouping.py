"""Which lines belong to an experiment, and to which of its rows."""

import json
from collections.abc import Iterable

from . import declare, plan, results, scales


def current(
  experiment: declare.Experiment,
  scale: scales.Scale,
  lines: Iterable[results.Line],
  data: str = "",
) -> list[results.Line]:
  """Lines that are of the experiment as it is declared now.

  Args:
    experiment: its declaration.
    scale: where it was run.
    lines: of its file.
    data: "folder" or "TFDS"; "" for that of the newest line.
  """
  lines = list(lines)
  if not lines:
    return []
  data = data or next((x["data"] for x in lines[::-1] if "data" in x), "")
  cells = plan.cells(experiment, scale, sorted({x["seed"] for x in lines}))
  return [
    line
    for line in lines
    if any(results.belongs(line, cell, data) for cell in cells)
  ]


def labelled(
  experiment: declare.Experiment, lines: Iterable[results.Line]
) -> list[tuple[str, list[results.Line]]]:
  """Lines by what was pretrained: by row, and by column where these differ.

  Args:
    experiment: its declaration.
    lines: of the experiment as it is declared now.

  Returns:
    Pairs of a name and its lines, in the order of the rows.
  """
  groups: dict[str, list[results.Line]] = {}
  for line in lines:
    made = [line["row"], line["encoder"], line["overrides"]]
    groups.setdefault(json.dumps(made, sort_keys=True), []).append(line)
  titles = {column.name: column.title for column in experiment.columns}
  order = [row.name for row in experiment.rows]
  rows = [mine[0]["row"] for mine in groups.values()]
  found = []
  for mine in groups.values():
    row, label = mine[0]["row"], mine[0]["row"]
    if rows.count(row) > 1:
      names = dict.fromkeys(titles[x] for line in mine for x in line["columns"])
      label = f"{row}: {', '.join(names)}"
    found.append((label, mine))
  return sorted(found, key=lambda pair: order.index(pair[1][0]["row"]))
