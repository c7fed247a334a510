"""Which cells a command wants, and which of them are there already."""

from collections.abc import Sequence

from . import commands, declare, plan, results, scales


def wanted(
  experiments: Sequence[declare.Experiment],
  scale: scales.Scale,
  seeds: Sequence[int],
  rows: Sequence[str],
) -> list[plan.Cell]:
  """Cells of the wanted rows; a whole name is that row alone.

  Args:
    experiments: in the order of their tables.
    scale: where they are run.
    seeds: of the runs; none for those that are declared.
    rows: names or parts of names; none for all rows.

  Raises:
    ValueError: no row has such a name, or it cannot be run.
  """
  cells = [
    cell
    for experiment in experiments
    for cell in plan.cells(experiment, scale, seeds)
  ]
  if not rows:
    return cells
  names = {cell.row for cell in cells}
  found = set()
  for text in rows:
    mine = _matching(text, names)
    if not mine:
      raise ValueError(_refusal(text, experiments, scale))
    found |= mine
  return [cell for cell in cells if cell.row in found]


def known_and_missing(
  cells: Sequence[plan.Cell], folder: str, place: commands.Place
) -> tuple[list[tuple[plan.Cell, results.Line]], list[plan.Cell]]:
  """What is there for each cell.

  Args:
    cells: that are wanted.
    folder: of the scale's results.
    place: where.

  Returns:
    Cells that another table has, each with its line, and cells that nobody
    has.
  """
  known, elsewhere, missing = results.load_all(folder), [], []
  for cell in cells:
    file = results.path(folder, cell.experiment)
    data = commands.kind_of_run(cell.evaluation.pretraining, place)
    if any(results.belongs(x, cell, data) for x in results.load(file)):
      continue
    same = known.get(plan.digest(cell.evaluation), [])
    fit = [x for x in same if results.answers(x, cell.evaluation, data)]
    if fit:
      elsewhere.append((cell, results.of_cell(fit[-1], cell)))
    else:
      missing.append(cell)
  return elsewhere, missing


def _matching(text: str, names: set[str]) -> set[str]:
  return {text} & names or {name for name in names if text in name}


def _refusal(text: str, experiments, scale: scales.Scale) -> str:
  """Why no cell is of a row."""
  reasons = {
    row.name: _reason(experiment, row, scale)
    for experiment in experiments
    for row in experiment.rows
  }
  mine = sorted(_matching(text, set(reasons)))
  if mine:
    said = " ".join(f"{name}: {reasons[name]}" for name in mine)
    return f"--rows={text} cannot be run at --scale={scale.name}. {said}"
  known = "; ".join(sorted(x for x, reason in reasons.items() if not reason))
  return f"--rows={text} is in no row; there are: {known}."


def _reason(experiment, row: declare.Row, scale: scales.Scale) -> str:
  """Why a row is not run, "" if it is."""
  if row.changes is None:
    return "It is only quoted."
  missing = {**row.missing, **experiment.missing}
  return missing.get(scale.name, "")
