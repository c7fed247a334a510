"""Figure 3: smaller batches (a) and fewer augmentations (b).

python -m experiments.figure3 --scale=desk

Paper: top-1 of Table 16 down to 128 pictures, and of five rows of Table 17,
drawn as the loss against the first row.
"""

from . import runner, table16, table17
from .declare import Experiment

_LEAST_BATCH = 128
# From left to right.
_SETS = (
  "Baseline",
  "Remove grayscale",
  "Remove color (jittering and grayscale)",
  "Crop and blur only",
  "Crop only",
)
_BY_NAME = {row.name: row for row in table17.ROWS}

EXPERIMENTS = (
  Experiment(
    name="figure3a",
    paper="table16",
    title="Batch size",
    base="ablation",
    columns=table16.columns("top1", "top-1"),
    rows=tuple(row for row in table16.ROWS if row.x >= _LEAST_BATCH),
    axis=table16.AXIS,
    axis_elsewhere=table16.AXIS_ELSEWHERE,
    baseline="4096",
  ),
  Experiment(
    name="figure3b",
    paper="table17",
    title="Augmentations",
    base="ablation",
    columns=table16.columns("top1", "top-1"),
    rows=tuple(_BY_NAME[name] for name in _SETS),
    baseline=_SETS[0],
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
