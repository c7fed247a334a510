"""Table 21: no moving average, but a faster predictor.

python -m experiments.table21 --scale=desk

Paper: the target is the online network of the same step; the predictor's
learning rate is multiplied by lambda.
"""

from . import runner
from .declare import Column, Experiment, Row
from .methods import STOP_GRADIENT

_MULTIPLIERS = (0, 1, 2, 10, 20)

EXPERIMENTS = (
  Experiment(
    name="table21",
    paper="table21",
    title="Learning rate of the predictor, no moving average",
    base="ablation",
    columns=(Column("top1", "top-1"),),
    rows=(
      *(
        Row(
          f"lambda {x}",
          {**STOP_GRADIENT, "optimizer.predictor_multiplier": float(x)},
        )
        for x in _MULTIPLIERS
      ),
      Row("baseline (EMA)", {}),
    ),
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
