"""Table 1: linear evaluation on ImageNet, ResNet-50 (a) and larger (b).

python -m experiments.table1 --scale=paper --print

Paper: BYOL for 1000 epochs, then a linear classifier on frozen features. The
other methods' numbers are from their own papers. The encoders of the smaller
scales are in experiments/encoders.py.
"""

from . import encoders, runner
from .declare import Column, Experiment, Row

_OTHERS = (
  "Local Agg.",
  "PIRL",
  "CPC v2",
  "CMC",
  "SimCLR",
  "MoCo v2",
  "InfoMin Aug.",
)
_COLUMNS = (Column("top1", "top-1"), Column("top5", "top-5", score="top5"))

EXPERIMENTS = (
  Experiment(
    name="table1a",
    paper="table1a",
    title="Linear evaluation, ResNet-50",
    base="main",
    columns=_COLUMNS,
    rows=(*(Row(name, None) for name in _OTHERS), Row("BYOL", {})),
    seeds=(0,),
  ),
  Experiment(
    name="table1b",
    paper="table1b",
    title="Linear evaluation, larger encoders",
    base="main",
    columns=_COLUMNS,
    rows=(
      Row("SimCLR / ResNet-50 (2x)", None),
      Row("CMC / ResNet-50 (2x)", None),
      encoders.row("BYOL / ResNet-50 (2x)", 50, 2),
      Row("CPC v2 / ResNet-161", None),
      Row("MoCo / ResNet-50 (4x)", None),
      Row("SimCLR / ResNet-50 (4x)", None),
      encoders.row("BYOL / ResNet-50 (4x)", 50, 4),
      encoders.row("BYOL / ResNet-200 (2x)", 200, 2),
    ),
    seeds=(0,),
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
