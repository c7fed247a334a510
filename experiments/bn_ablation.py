"""Which component needs its norm (arXiv 2010.10241, Table 1).

python -m experiments.bn_ablation --scale=desk

Theirs: 300 epochs with LARS, three runs; the baseline there is 73.2 %. BYOL's
heads and SimCLR's in BYOL's form. Unlike under SGD (stl10_bn), batch norm in
the encoder is enough.
"""

from . import runner
from .declare import Column, Experiment, Row
from .methods import SIMCLR

_KINDS = {"bn": "batch", "ln": "layer", "none": "none"}
# Encoder, projector, predictor.
_BYOL = (
  ("bn", "bn", "bn"),
  ("bn", "bn", "none"),
  ("bn", "none", "bn"),
  ("bn", "none", "none"),
  ("ln", "ln", "ln"),
  ("ln", "ln", "none"),
  ("ln", "none", "ln"),
  ("ln", "none", "none"),
  ("none", "bn", "bn"),
  ("none", "bn", "none"),
  ("none", "ln", "ln"),
  ("none", "ln", "none"),
  ("none", "none", "bn"),
  ("none", "none", "ln"),
  ("none", "none", "none"),
)
_SIMCLR = (
  ("bn", "bn"),
  ("bn", "none"),
  ("ln", "ln"),
  ("ln", "none"),
  ("none", "bn"),
  ("none", "ln"),
  ("none", "none"),
)


def _row(norms: tuple[str, ...]) -> Row:
  # SimCLR's rows are shorter: it has no predictor.
  parts = ("encoder", "projector", "predictor")[: len(norms)]
  named = list(zip(parts, norms, strict=True))
  return Row(
    ", ".join(f"{part} {norm}" for part, norm in named),
    {f"network.{part}_norm": _KINDS[norm] for part, norm in named},
  )


EXPERIMENTS = (
  Experiment(
    name="bn_ablation_byol",
    paper="bn_ablation_2010_10241_table1",
    title="Norms of BYOL's components",
    base="ablation",
    columns=(Column("byol_top1", "top-1"),),
    rows=tuple(_row(norms) for norms in _BYOL),
  ),
  Experiment(
    name="bn_ablation_simclr",
    paper="bn_ablation_2010_10241_table1_simclr",
    title="Norms of SimCLR's components",
    base="ablation",
    columns=(Column("simclr_top1", "top-1", changes=SIMCLR),),
    rows=tuple(_row(norms) for norms in _SIMCLR),
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
