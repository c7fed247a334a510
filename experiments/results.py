"""Lines of results: what a run left behind, and what is known already."""

import datetime
import json
import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from byol_jax import origin

from . import commands, plan

# Points of a curve that are kept.
_MAX_POINTS = 20
DIVERGED = "diverged"

# What a diverged run lacks.
_EMPTY = {
  "scores": {},
  "metric": "",
  "statistics": {},
  "curve": {},
  "device": "",
  "versions": {},
}

Line = Mapping[str, Any]


def path(folder: str, experiment: str) -> pathlib.Path:
  """The lines of an experiment; the table lies beside them."""
  return pathlib.Path(folder) / f"{experiment}.jsonl"


def load(file: pathlib.Path) -> list[Line]:
  """The lines of one file; half a line, of a killed process, is none.

  Nor is one without a digest.
  """
  if not file.exists():
    return []
  found = []
  for text in file.read_text(encoding="utf-8").splitlines():
    try:
      line = json.loads(text)
    except ValueError:
      continue
    if isinstance(line, dict) and "digest" in line:
      found.append(line)
  return found


def load_all(folder: str) -> dict[str, list[Line]]:
  """Every line of a folder, by digest."""
  found: dict[str, list[Line]] = {}
  for file in sorted(pathlib.Path(folder).glob("*.jsonl")):
    for line in load(file):
      found.setdefault(line["digest"], []).append(line)
  return found


def append(line: Line, file: pathlib.Path) -> None:
  """Adds a line, which is on disk when this returns."""
  file.parent.mkdir(parents=True, exist_ok=True)
  text = json.dumps(line, allow_nan=False) + "\n"
  if file.exists() and file.read_bytes()[-1:] not in (b"", b"\n"):
    text = "\n" + text  # After half a line, of a killed process.
  with file.open("a", encoding="utf-8") as out:
    out.write(text)
    out.flush()
    os.fsync(out.fileno())


def belongs(line: Line, cell: plan.Cell, data: str) -> bool:
  """Whether a line of an experiment's file fills in a cell."""
  place = (line["row"], tuple(line["columns"]))
  mine = (cell.row, cell.columns)
  return place == mine and answers(line, cell.evaluation, data)


def answers(line: Line, run: plan.Evaluation, data: str) -> bool:
  """Whether a line is of this run, and of what its presets mean at present.

  A setting that the line does not know has come since, and is passed over: it
  begins with the value that everything had before.

  Args:
    line: of results.
    run: that is wanted.
    data: "folder" or "TFDS"; a line that does not say which is of both.
  """
  if line["digest"] != plan.digest(run) or line.get("data", data) != data:
    return False
  now = plan.settings(run)
  return all(now.get(k, x) == x for k, x in line["settings"].items())


def of_cell(line: Line, cell: plan.Cell) -> dict[str, Any]:
  """A line as the file of another table has it."""
  place = {
    "table": cell.experiment,
    "row": cell.row,
    "columns": list(cell.columns),
  }
  return {**line, **place}


def made(
  cell: plan.Cell, status: str, values: Mapping[str, Any], place: commands.Place
) -> dict[str, Any]:
  """The line of a cell that was run now.

  Args:
    cell: what was run.
    status: "done" or "diverged".
    values: from `execute.run`.
    place: where; of it only the kind of data is kept.
  """
  run = cell.evaluation
  return {
    "table": cell.experiment,
    "row": cell.row,
    "columns": list(cell.columns),
    "seed": plan.seed_of(run),
    "status": status,
    **_EMPTY,
    **values,
    "encoder": run.encoder,
    "encoder_seed": run.pretraining.seed,
    "config": run.pretraining.config,
    "overrides": dict(run.pretraining.changes),
    "evaluation": {
      "name": run.name,
      "config": run.config,
      "overrides": dict(run.changes),
    },
    "digest": plan.digest(run),
    "settings": plan.settings(run),
    "data": commands.kind_of_run(run.pretraining, place),
    "commit": origin.commit(pathlib.Path(__file__)).removesuffix("+changes"),
    "finished": datetime.datetime.now(datetime.UTC).isoformat("T", "seconds"),
  }


def seconds(lines: Iterable[Line]) -> float:
  """What runs took together, each pretraining and each evaluation once.

  Args:
    lines: of any experiments. Those that do not say what of their time was
      pretraining count as a whole.
  """
  trained, evaluated = {}, {}
  for line in lines:
    spent = line.get("pretraining_secs")
    if spent is None or line["encoder"] != "trained":
      evaluated[line["digest"]] = line["wall_secs"]
    else:
      changes = tuple(line["overrides"].items())
      seed = line.get("encoder_seed", line["seed"])
      run = plan.Pretraining(line["config"], changes, seed)
      trained[plan.digest(run)] = spent
      evaluated[line["digest"]] = line["evaluation_secs"]
  return sum(trained.values()) + sum(evaluated.values())


def trace(workdir: str) -> dict[str, Any]:
  """What a pretraining recorded: each metric's last value, and its curve.

  Args:
    workdir: of the pretraining; one without records gives none.

  Returns:
    `statistics`, by name, and `curve`, by name at most 20 pairs of step and
    value; what is not finite is left out.
  """
  points: dict[str, list[tuple[int, float]]] = {}
  file = pathlib.Path(workdir) / "metrics.jsonl"
  texts = file.read_text().splitlines() if file.exists() else []
  for text in texts:
    try:
      line = json.loads(text)
    except ValueError:
      continue  # Half a line, of a process that was killed.
    for name, value in line.items():
      if name != "step" and math.isfinite(value):
        points.setdefault(name, []).append((line["step"], _short(value)))
  return {
    "statistics": {name: pairs[-1][1] for name, pairs in points.items()},
    "curve": {name: _thinned(pairs) for name, pairs in points.items()},
  }


def _thinned(pairs: Sequence[Any]) -> list[Any]:
  """At most twenty of them, evenly, with the first and the last."""
  if len(pairs) <= _MAX_POINTS:
    return list(pairs)
  step = (len(pairs) - 1) / (_MAX_POINTS - 1)
  return [pairs[round(number * step)] for number in range(_MAX_POINTS)]


def _short(value: float) -> float:
  return float(f"{value:.6g}")
