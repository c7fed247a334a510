"""BYOL without batch statistics (arXiv 2010.10241, Table 2).

python -m experiments.gn_ws --scale=desk

Theirs: as BYOL's main run. Without any norm nothing is learned; with batch
norm's first statistics as start of scale and offset much is, and with group
norm and standardised weights nearly all. Rates at the other scales are the same
multiples of the base's.
"""

from . import runner
from .declare import Changes, Column, Experiment, Row, Times


def _norms(kind: str) -> dict[str, str]:
  return dict.fromkeys(
    (
      "network.encoder_norm",
      "network.projector_norm",
      "network.predictor_norm",
    ),
    kind,
  )


_MODIFIED: Changes = {
  **_norms("affine"),
  "network.zero_init_last_scale": True,
  "training.warmup_epochs": Times(5.0),  # 50 epochs of 1000.
}
_GROUPS: Changes = {
  **_norms("group"),
  "network.norm_groups": 16,
  "network.weight_standardization": True,
  "target.base_decay": 0.999,
}
_GROUPS_PAPER = {
  **_GROUPS,
  "optimizer.base_learning_rate": 0.24,
  "optimizer.weight_decay": 3e-8,
}
_GROUPS_ELSEWHERE = {
  **_GROUPS,
  "optimizer.base_learning_rate": Times(1.2),
  "optimizer.weight_decay": Times(0.02),
}

EXPERIMENTS = (
  Experiment(
    name="gn_ws",
    paper="bn_2010_10241_table2",
    title="Without batch statistics",
    base="main",
    columns=(Column("top1", "top-1"),),
    rows=(
      Row("Vanilla BN", {}),
      Row("No BN", _norms("none")),
      Row("Modified init", _MODIFIED),
      Row(
        "GN + WS",
        _GROUPS_PAPER,
        at={"gpu": _GROUPS_ELSEWHERE, "desk": _GROUPS_ELSEWHERE},
      ),
    ),
    seeds=(0,),
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
