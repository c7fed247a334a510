"""Table 22: no moving average, and both heads at rates of their own.

python -m experiments.table22 --scale=desk

Paper: as Table 21, with the projector's learning rate multiplied by mu. The
predictor has to be faster than the projector.
"""

from . import runner
from .declare import Column, Experiment, Row
from .methods import STOP_GRADIENT

_MULTIPLIERS = (1.0, 1.5, 2.0, 5.0, 10.0)

EXPERIMENTS = (
  Experiment(
    name="table22",
    paper="table22",
    title="Learning rates of projector and predictor, no moving average",
    base="ablation",
    columns=tuple(
      Column(
        f"lambda_pred_{x:g}",
        f"predictor x {x:g}",
        changes={"optimizer.predictor_multiplier": x},
      )
      for x in _MULTIPLIERS
    ),
    rows=tuple(
      Row(
        f"mu_proj {x:g}",
        {**STOP_GRADIENT, "optimizer.projector_multiplier": x},
      )
      for x in _MULTIPLIERS
    ),
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
