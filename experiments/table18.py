"""Table 18: how many negatives BYOL bears, and at which temperature.

python -m experiments.table18 --scale=desk

Paper: predictor and target network stay; beta weighs the negatives, alpha is
their temperature.
"""

from . import runner
from .declare import Column, Experiment, Row

_WEIGHTS = (0.1, 0.5, 1.0)
_TEMPERATURES = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0)


def _row(weight: float, temperature: float) -> Row:
  return Row(
    f"beta {weight:g}, alpha {temperature:g}",
    {
      "objective.negative_weight": weight,
      "objective.temperature": temperature,
    },
  )


EXPERIMENTS = (
  Experiment(
    name="table18",
    paper="table18",
    title="Weight and temperature of the negatives",
    base="ablation",
    columns=(Column("top1", "top-1"), Column("top5", "top-5", score="top5")),
    rows=(
      Row("beta 0, alpha 0.1", {}),
      *(_row(x, y) for x in _WEIGHTS for y in _TEMPERATURES),
    ),
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
