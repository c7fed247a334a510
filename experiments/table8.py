"""Table 8: all labels of ImageNet, from scratch and from a trained encoder.

python -m experiments.table8 --scale=paper --print

Paper: ResNet-50 after 1000 epochs, fine-tuned as in Table 2. SimCLR (repro) is
the paper's own run, with SimCLR's head and rates; the rest is quoted.
"""

from . import runner
from .declare import Column, Experiment, Row
from .methods import SIMCLR_ELSEWHERE, SIMCLR_MAIN

_ALL = "finetune_100percent"

EXPERIMENTS = (
  Experiment(
    name="table8",
    paper="table8",
    title="All labels, ResNet-50",
    base="main",
    columns=(
      Column("top1", "top-1", evaluation=_ALL),
      Column("top5", "top-5", evaluation=_ALL, score="top5"),
    ),
    rows=(
      Row("Supervised (SimCLR's)", None),
      Row("AutoAugment", None),
      Row("MaxUp", None),
      Row("SimCLR", None),
      Row("SimCLR (repro)", SIMCLR_MAIN, at=SIMCLR_ELSEWHERE),
      Row("BYOL", {}),
    ),
    seeds=(0,),
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
