"""How the numbers of a run went while it trained."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from etils import epath

from byol_jax import checkpoint, intact

# More points than a panel has pixels only make a page large.
_MAX_POINTS = 400


class Curve(NamedTuple):
  """One number of a run.

  Attributes:
    name: as in the record.
    steps: [n] ascending.
    values: [n]; means of some steps where there were too many.
  """

  name: str
  steps: np.ndarray
  values: np.ndarray


class Panel(NamedTuple):
  """Curves that are looked at together."""

  title: str
  curves: tuple[Curve, ...]


# Titles, and the names or their endings that belong there.
_PANELS = (
  ("Loss", ("loss",)),
  ("Accuracy", ("top1", "accuracy")),
  ("Collapse statistics", ("projection_std", "view_cosine", "image_cosine")),
  ("Effective rank", ("effective_rank",)),
  ("Learning rate", ("learning_rate",)),
  ("Target decay", ("target_decay",)),
)


def workdir(path: str) -> epath.Path:
  """The workdir of a run.

  Args:
    path: of the run, its folder of checkpoints, or one of them.
  """
  # Normalised: the parent of "runs/x/" would be "runs/x".
  place = epath.Path(path if "://" in path else os.path.abspath(path))
  if place.name.isdigit() and place.parent.name == checkpoint.FOLDER:
    place = place.parent
  return place.parent if place.name == checkpoint.FOLDER else place


def read(path: str) -> tuple[Panel, ...]:
  """Reads the record of a run.

  Args:
    path: as in `workdir`.

  Returns:
    Panels that have a curve; () without a record.
  """
  return panels(intact.objects(workdir(path) / "metrics.jsonl"))


def panels(lines: Sequence[Mapping[str, Any]]) -> tuple[Panel, ...]:
  """Sorts numbers into panels.

  Args:
    lines: "step" and numbers by name; other things are left out.
  """
  lines = [line for line in lines if type(line.get("step")) is int]
  names = list(dict.fromkeys(name for line in lines for name in line))
  made = []
  for title, endings in _PANELS:
    mine = [name for name in names if name.endswith(endings)]
    curves = [_curve(lines, name) for name in mine]
    shown = tuple(curve for curve in curves if len(curve.steps))
    if shown:
      made.append(Panel(title, shown))
  return tuple(made)


def _curve(lines: Sequence[Mapping[str, Any]], name: str) -> Curve:
  found = np.array(
    [(_number(line["step"]), _number(line.get(name))) for line in lines]
  )
  steps, values = found[np.isfinite(found).all(axis=1)].T
  if len(steps) > _MAX_POINTS:
    parts = np.array_split(np.arange(len(steps)), _MAX_POINTS)
    steps = np.array([steps[part[-1]] for part in parts])
    values = np.array([values[part].mean() for part in parts])
  return Curve(name, steps, values)


def _number(value: Any) -> float:
  """NaN for what is no number, or an integer that no float holds."""
  try:
    return float(value) if isinstance(value, (int, float)) else math.nan
  except OverflowError:
    return math.nan
