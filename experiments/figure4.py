"""Figure 4: fine-tuning with 1 to 100 % of the labels.

python -m experiments.figure4 --scale=desk

Paper: ResNet-50 after 1000 epochs, subsets with as many pictures of each class.
It draws the curves; only their ends are printed (Table 8). Supervised training
from scratch is by the recipe of Table 9.
"""

from . import runner
from .declare import Column, Experiment, Row
from .methods import SIMCLR_ELSEWHERE, SIMCLR_MAIN

_PERCENT = (1, 2, 5, 10, 20, 50, 100)
_FINETUNED, _SCRATCH = "finetune_100percent", "supervised_100percent"


def _columns(score: str, title: str) -> tuple[Column, ...]:
  return (
    Column(
      f"supervised_{score}",
      f"supervised {title}",
      evaluation=_SCRATCH,
      score=score,
      encoder="random",
    ),
    Column(
      f"simclr_repro_{score}",
      f"SimCLR {title}",
      evaluation=_FINETUNED,
      score=score,
      changes=SIMCLR_MAIN,
      at=SIMCLR_ELSEWHERE,
    ),
    Column(
      f"byol_{score}", f"BYOL {title}", evaluation=_FINETUNED, score=score
    ),
  )


EXPERIMENTS = (
  Experiment(
    name="figure4",
    paper="figure4",
    title="Share of the labels",
    base="main",
    columns=_columns("top1", "top-1") + _columns("top5", "top-5"),
    rows=tuple(
      Row(f"{x}%", {}, evaluation={"data.train_share": x / 100}, x=x)
      for x in _PERCENT
    ),
    seeds=(0,),
    axis="labels (%)",
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
