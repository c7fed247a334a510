"""Table 5(b): what lies between BYOL and SimCLR.

python -m experiments.table5b --scale=desk

Paper: as Table 5(a), temperature 0.1. With negatives every variant learns;
without them both the predictor and the target network are needed. Where there
is no target network the gradient flows through the prediction's target.
"""

from . import runner
from .declare import Column, Experiment, Row
from .methods import SIMCLR

_NEGATIVES = {"objective.negative_weight": 1.0}
_NO_PREDICTOR = {"network.predictor": "none"}
_NO_TARGET = {"target.kind": "online"}

_ROWS = (
  Row("BYOL", {}),
  Row("predictor + target + negatives", _NEGATIVES),
  Row("target + negatives", {**_NO_PREDICTOR, **_NEGATIVES}),
  Row("SimCLR", SIMCLR),
  Row("predictor + negatives", {**_NO_TARGET, **_NEGATIVES}),
  Row("predictor only", _NO_TARGET),
  Row("target only (unsupervised Mean Teacher)", _NO_PREDICTOR),
  Row("neither", {**_NO_PREDICTOR, **_NO_TARGET}),
)

EXPERIMENTS = (
  Experiment(
    name="table5b",
    paper="table5b",
    title="Variants between BYOL and SimCLR",
    base="ablation",
    columns=(Column("top1", "top-1"),),
    rows=_ROWS,
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
