"""Table 20: how the loss normalises prediction and target.

python -m experiments.table20 --scale=desk

Paper: layer and batch norm have no parameters and are divided by the root of
the dimension; without normalisation the projections grow without bound.
"""

from . import runner
from .declare import Column, Experiment, Row

_KINDS = {
  "l2-norm": "l2",
  "LayerNorm": "layer",
  "No normalization": "none",
  "BatchNorm": "batch",
}

EXPERIMENTS = (
  Experiment(
    name="table20",
    paper="table20",
    title="Normalization inside the loss",
    base="ablation",
    columns=(Column("top1", "top-1"), Column("top5", "top-5", score="top5")),
    rows=tuple(
      Row(name, {"objective.normalization": kind})
      for name, kind in _KINDS.items()
    ),
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
