"""The paper's numbers and ours as arrays, to be drawn side by side."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from . import declare, paper, results, scoring


class Numbers(NamedTuple):
  """Scores of one source, in per cent or as differences to a row.

  Attributes:
    mean: [rows, columns], NaN where there is none.
    spread: [rows, columns], 0 where there is none.
    lost: [rows, columns], whether all runs diverged.
  """

  mean: np.ndarray
  spread: np.ndarray
  lost: np.ndarray


def printed(experiment: declare.Experiment) -> Numbers:
  """What the paper has."""
  key = experiment.paper

  def of(function, missing):
    found = [
      [function(key, row.name, column.name) for column in experiment.columns]
      for row in experiment.rows
    ]
    return np.array(
      [[missing if x is None else x for x in line] for line in found], float
    )

  mean = of(paper.value, math.nan)
  return Numbers(mean, of(paper.spread, 0.0), np.zeros_like(mean, bool))


def measured(
  experiment: declare.Experiment, lines: Sequence[results.Line]
) -> Numbers:
  """What we have.

  Args:
    experiment: its declaration.
    lines: of the experiment as it is declared now.
  """
  found = scoring.scores(experiment, lines)
  none = scoring.over_seeds([])

  def of(field):
    return np.array(
      [
        [
          getattr(found.get((row.name, column.name), none), field)
          for column in experiment.columns
        ]
        for row in experiment.rows
      ]
    )

  lost = (of("count") == 0) & (of("diverged") > 0)
  return Numbers(of("mean"), np.nan_to_num(of("spread")), lost)


def relative(experiment: declare.Experiment, numbers: Numbers) -> Numbers:
  """The difference of each row to the experiment's baseline, if it has one."""
  if not experiment.baseline:
    return numbers
  names = [row.name for row in experiment.rows]
  base = numbers.mean[[names.index(experiment.baseline)]]
  return numbers._replace(mean=numbers.mean - base)
