"""Batch norm in the heads under plain SGD (Fetterman & Albrecht, 2020).

python -m experiments.stl10_bn --scale=desk

Theirs: ResNet-18 with batch norm on STL-10, ten epochs of SGD, logistic
regression on one half of the test split, scored on the other. Without batch
norm in the heads BYOL stays at the untrained network. Statements about LARS
are in the experiment bn_ablation, and differ.
"""

from . import runner
from .declare import Column, Experiment, Row, Times


def _heads(projector: str, predictor: str) -> dict[str, str]:
  return {
    "network.projector_norm": projector,
    "network.predictor_norm": predictor,
  }


# The predictor stays. A direction's loss is the plain cross-entropy:
# 1 / (2 temperature) of ours.
_CONTRASTIVE = {
  **_heads("none", "none"),
  "objective.negative_weight": 1.0,
  "objective.negatives": "queue",
  "objective.temperature": 0.2,
  "objective.scale": 2.5,
  "optimizer.base_learning_rate": Times(0.025),  # 0.02 beside 0.8.
}
# Theirs holds 65,536 of 105,000 pictures.
_SHORT_QUEUE = {**_CONTRASTIVE, "objective.queue_size": 4096}
# So few steps at 1/40 of the rate would leave the network as it was.
_FASTER = {**_SHORT_QUEUE, "optimizer.base_learning_rate": Times(0.25)}

_ROWS = (
  Row(
    "Contrastive Loss",
    _CONTRASTIVE,
    at={"gpu": _SHORT_QUEUE, "desk": _FASTER},
  ),
  Row("BYOL", _heads("batch", "batch")),
  Row("Projection BN Only", _heads("batch", "none")),
  Row("Prediction BN Only", _heads("none", "batch")),
  Row("No Normalization", _heads("none", "none")),
  Row("Layer Norm", _heads("layer", "layer")),
  Row("Random", {}, encoder="random"),
)

EXPERIMENTS = (
  Experiment(
    name="stl10_bn",
    paper="stl10_bn_blog",
    title="Normalization of the heads, SGD",
    base="stl10",
    columns=(Column("accuracy", "accuracy", evaluation="stl10_halves"),),
    rows=_ROWS,
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
