"""Table 2: fine-tuning with 1 and 10 % of the labels, ResNet-50 (a) and larger.

python -m experiments.table2 --scale=paper --print

Paper: BYOL for 1000 epochs, then all weights on SimCLR's lists of pictures; the
other numbers are quoted (configs/eval/supervised.py has the supervised rows'
subsets). At the other scales it is a share of each class.
"""

from . import encoders, runner
from .declare import Column, Experiment, Row

_COLUMNS = tuple(
  Column(
    f"{score}_{share}pct",
    f"{title} of {share} %",
    evaluation=f"finetune_{share}percent",
    score=score,
  )
  for score, title in (("top1", "top-1"), ("top5", "top-5"))
  for share in (1, 10)
)

EXPERIMENTS = (
  Experiment(
    name="table2a",
    paper="table2a",
    title="Few labels, ResNet-50",
    base="main",
    columns=_COLUMNS,
    rows=(
      Row("Supervised", None),
      Row("InstDisc", None),
      Row("PIRL", None),
      Row("SimCLR", None),
      Row("BYOL", {}),
    ),
    seeds=(0,),
  ),
  Experiment(
    name="table2b",
    paper="table2b",
    title="Few labels, larger encoders",
    base="main",
    columns=_COLUMNS,
    rows=(
      Row("CPC v2 / ResNet-161", None),
      Row("SimCLR / ResNet-50 (2x)", None),
      encoders.row("BYOL / ResNet-50 (2x)", 50, 2),
      Row("SimCLR / ResNet-50 (4x)", None),
      encoders.row("BYOL / ResNet-50 (4x)", 50, 4),
      encoders.row("BYOL / ResNet-200 (2x)", 200, 2),
    ),
    seeds=(0,),
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
