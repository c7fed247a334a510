"""Table 4: segmentation and detection (a), depth (b); Tables 11 and 12.

python -m experiments.table4 --scale=paper --dense=DIR --print

Paper: ResNet-50 after 1000 epochs, moved to VOC2012 (mean of five seeds),
VOC2007 and NYU v2. Here the seeds are those of the dense training; each method
has one trained encoder. SimCLR (repro) is the paper's own run. The paper quotes
Supervised-IN; ours is trained by labels on the pictures of the other rows. The
untrained encoder is ours alone.
"""

from . import paper, runner
from .declare import Column, Experiment, Row
from .methods import SIMCLR_ELSEWHERE, SIMCLR_MAIN

_RUN = {
  row.name: row
  for row in (
    Row("BYOL", {}),
    Row(
      "SimCLR (repro)",
      SIMCLR_MAIN,
      at=SIMCLR_ELSEWHERE,
      missing={"desk": "A fourth encoder would take another hour."},
    ),
    Row("Supervised-IN", {}, encoder="supervised"),
  )
}
_RANDOM = Row("Random init (ours)", {}, encoder="random")
_OBJECTS = (
  # VOC2007 has its own rule for it.
  Column("AP50", "AP50", evaluation="detection", score=""),
  Column("mIoU", "mIoU", evaluation="segmentation", score="miou"),
)
_DEPTH = (
  *(
    Column(f"pct_lt_{limit}", f"below {limit}", evaluation="depth", score=score)
    for limit, score in (
      ("1.25", "delta1"),
      ("1.25^2", "delta2"),
      ("1.25^3", "delta3"),
    )
  ),
  *(
    Column(
      name,
      name,
      evaluation="depth",
      score=name,
      is_share=False,
      lower_is_better=True,
    )
    for name in ("rms", "rel")
  ),
)


def _experiment(name: str, key: str, title: str, columns) -> Experiment:
  """All rows of a printed table, those of other papers only quoted."""
  names = [row["method"] for row in paper.table(key)["rows"]]
  return Experiment(
    name=name,
    paper=key,
    title=title,
    base="photographs",
    columns=columns,
    rows=(*(_RUN.get(x, Row(x, None)) for x in names), _RANDOM),
    seeds_of="evaluation",
  )


EXPERIMENTS = (
  _experiment("table4a", "table4a", "Detection and segmentation", _OBJECTS),
  _experiment("table4b", "table4b", "Depth", _DEPTH),
  _experiment(
    "table4_table11",
    "table11",
    "Detection and segmentation, with other methods",
    _OBJECTS,
  ),
  _experiment("table4_table12", "table12", "Depth, with other methods", _DEPTH),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
