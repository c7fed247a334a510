"""Table 14: depth of the heads (a), and size of the projection (b).

python -m experiments.table14 --scale=desk

Paper: depth counts linear layers; between them are batch norm and ReLU, so that
depth 1 is a linear map. Hidden layers have the base's width.
"""

from . import runner
from .declare import Changes, Column, Experiment, Row

# The hidden layers of each scale's base.
HIDDEN = {"paper": 4096, "gpu": 4096, "desk": 256}
_DEPTHS = (1, 2, 3)
_SIZES = (16, 32, 64, 128, 256, 512)
_COLUMNS = (Column("top1", "top-1"), Column("top5", "top-5", score="top5"))


def _heads(projector: int, predictor: int, width: int) -> Changes:
  return {
    "network.projector_hidden": (width,) * (projector - 1),
    "network.predictor_hidden": (width,) * (predictor - 1),
  }


def _row(projector: int, predictor: int) -> Row:
  at = {
    scale: _heads(projector, predictor, width)
    for scale, width in HIDDEN.items()
  }
  name = f"projector {projector}, predictor {predictor}"
  return Row(name, at.pop("paper"), at=at)


EXPERIMENTS = (
  Experiment(
    name="table14a",
    paper="table14a",
    title="Depth of projector and predictor",
    base="ablation",
    columns=_COLUMNS,
    rows=tuple(_row(x, y) for x in _DEPTHS for y in _DEPTHS),
  ),
  Experiment(
    name="table14b",
    paper="table14b",
    title="Size of the projection",
    base="ablation",
    columns=_COLUMNS,
    rows=tuple(
      Row(str(size), {"network.projection_dim": size}, x=size)
      for size in _SIZES
    ),
    axis="size of the projection",
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
