"""Scores over several seeds, from lines of results."""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from . import declare, results

_PERCENT = 100.0


class Score(NamedTuple):
  """A number over several seeds, of a share in per cent.

  Attributes:
    mean: of the seeds that have a score; NaN without any.
    spread: half of the highest less the lowest, as the paper prints it.
    count: seeds that have a score.
    diverged: seeds whose loss did not stay finite.
  """

  mean: float
  spread: float
  count: int
  diverged: int


def scores(
  experiment: declare.Experiment, lines: Iterable[results.Line]
) -> dict[tuple[str, str], Score]:
  """Scores by names of row and column; the newest line of a seed counts.

  Args:
    experiment: whose columns say which score they are.
    lines: of the experiment.
  """
  wanted = {column.name: column for column in experiment.columns}
  found: dict[tuple[str, str], dict[int, float]] = {}
  for line in lines:
    for name in line["columns"]:
      if name in wanted:
        cell = found.setdefault((line["row"], name), {})
        cell[line["seed"]] = _score(line, wanted[name])
  return {key: over_seeds(list(seeds.values())) for key, seeds in found.items()}


def text(value: float, column: declare.Column) -> str:
  """A score as tables print it.

  Args:
    value: in per cent where the score is a share.
    column: what it is of.
  """
  return f"{value:.{1 if column.is_share else 3}f}"


def over_seeds(values: Sequence[float]) -> Score:
  """Mean and spread of scores; NaN stands for a diverged run."""
  finite = [value for value in values if math.isfinite(value)]
  return Score(
    mean=statistics.fmean(finite) if finite else math.nan,
    spread=(max(finite) - min(finite)) / 2.0 if finite else math.nan,
    count=len(finite),
    diverged=len(values) - len(finite),
  )


def _score(line: results.Line, column: declare.Column) -> float:
  """One score, a share in per cent; NaN of a diverged run."""
  if line["status"] == results.DIVERGED:
    return math.nan
  name = column.score or line["metric"]
  if name not in line["scores"]:
    raise ValueError(
      f"{line['table']}, {line['row']}: there is no score {name!r}, only"
      f" {', '.join(line['scores'])}."
    )
  return line["scores"][name] * (_PERCENT if column.is_share else 1.0)
