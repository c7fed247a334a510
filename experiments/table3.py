"""Table 3: transfer to twelve data sets, by a linear classifier and fine-tuned.

python -m experiments.table3 --scale=paper --print

Paper: ResNet-50 after 1000 epochs; each set by its own metric. SimCLR (repro)
is the paper's own run, with SimCLR's head and rates; SimCLR, Supervised-IN and
Random init are quoted.
"""

from . import runner
from .declare import Column, Experiment, Row
from .methods import SIMCLR_ELSEWHERE, SIMCLR_MAIN

# As the paper's table has them, with what each is scored by.
SETS = {
  "Food101": "top1",
  "CIFAR10": "top1",
  "CIFAR100": "top1",
  "Birdsnap": "top1",
  "SUN397": "top1",
  "Cars": "top1",
  "Aircraft": "mean_per_class",
  "VOC2007": "map11",
  "DTD": "top1",
  "Pets": "mean_per_class",
  "Caltech101": "mean_per_class",
  "Flowers": "mean_per_class",
}
_ROWS = (
  Row("BYOL", {}),
  Row("SimCLR (repro)", SIMCLR_MAIN, at=SIMCLR_ELSEWHERE),
  Row("SimCLR", None),
  Row("Supervised-IN", None),
)
_TOO_SMALL = {"desk": "The sets' pictures are too large for a small network."}


def columns(protocol: str) -> tuple[Column, ...]:
  """One number for each set.

  Args:
    protocol: "linear" or "finetune".
  """
  return tuple(
    Column(
      name, name, evaluation=f"transfer_{protocol}_{name.lower()}", score=score
    )
    for name, score in SETS.items()
  )


EXPERIMENTS = (
  Experiment(
    name="table3_linear",
    paper="table3_linear",
    title="Transfer by a linear classifier",
    base="main",
    columns=columns("linear"),
    rows=_ROWS,
    seeds=(0,),
    missing=_TOO_SMALL,
  ),
  Experiment(
    name="table3_finetune",
    paper="table3_finetune",
    title="Transfer by fine-tuning",
    base="main",
    columns=columns("finetune"),
    rows=(*_ROWS, Row("Random init", None)),
    seeds=(0,),
    missing=_TOO_SMALL,
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
