"""Table 9: deeper and wider encoders, by BYOL and by labels.

python -m experiments.table9 --scale=paper --print

Paper: BYOL for 1000 epochs and linear evaluation, beside supervised training
with RandAugment. The column of SimCLR's supervised numbers is quoted in
paper_tables.json alone. The encoders of the smaller scales are in
experiments/encoders.py.
"""

from . import encoders, runner
from .declare import Column, Experiment

_LABELS = "supervised_100percent"

EXPERIMENTS = (
  Experiment(
    name="table9",
    paper="table9",
    title="Depth and width",
    base="main",
    columns=(
      Column("byol_top1", "BYOL top-1"),
      Column("byol_top5", "BYOL top-5", score="top5"),
      Column(
        "supervised_ours_top1",
        "supervised top-1",
        evaluation=_LABELS,
        encoder="random",
      ),
      Column(
        "supervised_ours_top5",
        "supervised top-5",
        evaluation=_LABELS,
        score="top5",
        encoder="random",
      ),
    ),
    rows=tuple(
      encoders.row(f"ResNet-{depth} ({width}x)", depth, width)
      for depth, width in encoders.MILLIONS
    ),
    seeds=(0,),
    axis="weights (millions, the paper's encoder)",
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
