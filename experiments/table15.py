"""Table 15: learning rate (a) and weight decay (b).

python -m experiments.table15 --scale=desk

Paper: a base rate of 0.3 and a decay of 1e-6 are the base's. Other scales' rows
are the same multiples of that scale's base. Without weight decay runs diverge,
the paper says; it has no row for it.
"""

from . import runner
from .declare import Column, Experiment, Row, Times

_RATES = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0)
_DECAYS = (1e-7, 5e-7, 1e-6, 5e-6, 1e-5)
_COLUMNS = (Column("top1", "top-1"), Column("top5", "top-5", score="top5"))


def _row(key: str, value: float, base: float) -> Row:
  times = {key: Times(value / base)}
  at = {"gpu": times, "desk": times}
  return Row(f"{value:g}", {key: value}, at=at, x=value)


EXPERIMENTS = (
  Experiment(
    name="table15a",
    paper="table15a",
    title="Base learning rate",
    base="ablation",
    columns=_COLUMNS,
    rows=tuple(
      _row("optimizer.base_learning_rate", rate, 0.3)._replace(name=str(rate))
      for rate in _RATES
    ),
    axis="base learning rate (of the paper's 0.3)",
  ),
  Experiment(
    name="table15b",
    paper="table15b",
    title="Weight decay",
    base="ablation",
    columns=_COLUMNS,
    rows=tuple(
      _row("optimizer.weight_decay", decay, 1e-6) for decay in _DECAYS
    ),
    axis="weight decay (of the paper's 1e-6)",
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
