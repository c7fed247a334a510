"""What an experiment is made of: rows and columns of the paper, as data."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

# Settings by dotted key, as `--config.KEY=VALUE` sets them.
Changes = Mapping[str, Any]
_NONE: Changes = MappingProxyType({})


class Times(NamedTuple):
  """A setting as a multiple of what the scale's own config has.

  Attributes:
    factor: multiplies the base config's value.
  """

  factor: float


class Row(NamedTuple):
  """One line of a table, or one point of a figure.

  Attributes:
    name: `method` in the paper's table.
    changes: of the base's pretraining config; None for a row that is only
      quoted. A value may be `Times`.
    evaluation: changes of every evaluation of this row.
    encoder: "trained", "random" (no pretraining), or "supervised": by labels,
      of the architecture that `changes` give.
    at: by name of a scale, `changes` there instead.
    x: the number that a curve is drawn over, None for bars.
    missing: by name of a scale, why it cannot be run there.
    seeds: those of the experiment that it is run with; () for all.
    series: of a scatter of named points, which points have one colour.
  """

  name: str
  changes: Changes | None
  evaluation: Changes = _NONE
  encoder: str = "trained"
  at: Mapping[str, Changes] = _NONE
  x: float | None = None
  missing: Mapping[str, str] = _NONE
  seeds: tuple[int, ...] = ()
  series: str = ""


class Column(NamedTuple):
  """One number of every row.

  Attributes:
    name: key of the row's `values` in the paper's table.
    title: for people.
    evaluation: name of one of the scale's evaluations.
    score: key of the `scores` in its results.json; "" for its `metric`.
    changes: of the pretraining config, on top of the row's.
    encoder: "" for the row's own.
    at: by name of a scale, `changes` there instead.
    is_share: whether the score is a share, which is shown in per cent.
    lower_is_better: as of errors.
  """

  name: str
  title: str
  evaluation: str = "linear"
  score: str = "top1"
  changes: Changes = _NONE
  encoder: str = ""
  at: Mapping[str, Changes] = _NONE
  is_share: bool = True
  lower_is_better: bool = False


class Experiment(NamedTuple):
  """One table or figure of the paper.

  Attributes:
    name: of the files that it writes.
    paper: key of `paper_tables.json`; "" for a table of your own.
    title: for people.
    base: "ablation", "main", "stl10" or "photographs": which of the scale's
      configs.
    columns: what is measured.
    rows: what is compared.
    seeds: of the runs.
    axis: what `Row.x` is, for a figure.
    missing: by name of a scale, why it cannot be run there.
    baseline: name of the row that each row is shown as a difference to; "" for
      the scores themselves.
    axis_elsewhere: what `Row.x` is at the other scales; "" for the same.
    seeds_of: what a seed makes anew, the "encoder" or only its "evaluation";
      an untrained encoder is drawn anew in both.
  """

  name: str
  paper: str
  title: str
  base: str
  columns: tuple[Column, ...]
  rows: tuple[Row, ...]
  seeds: tuple[int, ...] = (0, 1, 2)
  axis: str = ""
  missing: Mapping[str, str] = _NONE
  baseline: str = ""
  axis_elsewhere: str = ""
  seeds_of: str = "encoder"
