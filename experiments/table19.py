"""Table 19: Table 5(b) with one more target, the online network held still.

python -m experiments.table19 --scale=desk

Paper: xi is the moving average, sg(theta) the online network without a gradient
through it, theta with one. The paper prints (predictor, sg, beta = 1) twice,
70.2 and 70.1; it is one row here.
"""

from . import runner
from .declare import Column, Experiment, Row

_TARGETS = {"xi": "moving_average", "sg": "stop_gradient", "theta": "online"}
# Predictor, target, weight of the negatives.
_VARIANTS = (
  (True, "xi", 0),
  (True, "xi", 1),
  (False, "xi", 1),
  (True, "sg", 1),
  (False, "theta", 1),
  (False, "sg", 1),
  (True, "theta", 1),
  (True, "sg", 0),
  (True, "theta", 0),
  (False, "xi", 0),
  (False, "sg", 0),
  (False, "theta", 0),
)
_KNOWN_AS = {(True, "xi", 0): " (BYOL)", (False, "theta", 1): " (SimCLR)"}


def _row(predictor: bool, target: str, weight: int) -> Row:
  known_as = _KNOWN_AS.get((predictor, target, weight), "")
  return Row(
    f"predictor={predictor}, target={target}, beta={weight}{known_as}",
    {
      "network.predictor": "mlp" if predictor else "none",
      "target.kind": _TARGETS[target],
      "objective.negative_weight": float(weight),
    },
  )


EXPERIMENTS = (
  Experiment(
    name="table19",
    paper="table19",
    title="Variants between BYOL and SimCLR, with the stopped gradient",
    base="ablation",
    columns=(Column("top1", "top-1"),),
    rows=tuple(_row(*variant) for variant in _VARIANTS),
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
