"""Figure 1: top-1 against the number of weights.

python -m experiments.figure1 --scale=paper --print

Paper: the BYOL points are those of Table 1. All others are quoted; table9 runs
the supervised one that is the paper's own.
"""

from . import encoders, paper, runner
from .declare import Column, Experiment, Row

_OURS = {
  "BYOL": (50, 1),
  "BYOL (2x)": (50, 2),
  "BYOL (4x)": (50, 4),
  "BYOL (200-2x)": (200, 2),
}


_OTHERS = "others, unsupervised"


def _row(name: str) -> Row:
  if name in _OURS:
    return encoders.row(name, *_OURS[name])._replace(series="BYOL")
  known = ("SimCLR", "Supervised")
  series = next((x for x in known if name.startswith(x)), _OTHERS)
  x = paper.value("figure1", name, "params_M")
  return Row(name, None, x=x, series=series)


EXPERIMENTS = (
  Experiment(
    name="figure1",
    paper="figure1",
    title="Linear evaluation against weights",
    base="main",
    columns=(Column("top1", "top-1"),),
    rows=tuple(_row(x["method"]) for x in paper.table("figure1")["rows"]),
    seeds=(0,),
    axis="weights (millions, the paper's encoder)",
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
