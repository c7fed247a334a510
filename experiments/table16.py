"""Table 16: BYOL and SimCLR with smaller batches.

python -m experiments.table16 --scale=desk

Paper: gradients are averaged over N parts of 4096 / N pictures, then one step
of the optimizer and of the target; nothing else changes, so only batch norm and
SimCLR's negatives see the smaller batch. Elsewhere N parts of the base's batch.
"""

from . import runner
from .declare import Column, Experiment, Row
from .methods import SIMCLR_ELSEWHERE, SIMCLR_ORIGINAL

_BATCHES = (4096, 2048, 1024, 512, 256, 128, 64)
_MOST_PARTS = {"gpu": 16, "desk": 4}  # Of batches of 256 and 32.
AXIS = "pictures in a part (of 4096)"
AXIS_ELSEWHERE = "pictures in a part, if the batch were 4096"
_TOO_FEW = "Too few pictures would be left in a part of the smaller batch."


def _row(batch: int) -> Row:
  parts = _BATCHES[0] // batch
  scales = [name for name, most in _MOST_PARTS.items() if parts > most]
  return Row(
    str(batch),
    {"training.micro_batches": parts},
    x=batch,
    missing=dict.fromkeys(scales, _TOO_FEW),
  )


ROWS = tuple(_row(batch) for batch in _BATCHES)


def columns(score: str, title: str) -> tuple[Column, Column]:
  """BYOL and SimCLR (repro), by one score."""
  return (
    Column(f"byol_{score}", f"BYOL {title}", score=score),
    Column(
      f"simclr_repro_{score}",
      f"SimCLR {title}",
      score=score,
      changes=SIMCLR_ORIGINAL,
      at=SIMCLR_ELSEWHERE,
    ),
  )


EXPERIMENTS = (
  Experiment(
    name="table16",
    paper="table16",
    title="Batch size",
    base="ablation",
    columns=columns("top1", "top-1") + columns("top5", "top-5"),
    rows=ROWS,
    axis=AXIS,
    axis_elsewhere=AXIS_ELSEWHERE,
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
