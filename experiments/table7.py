"""Table 7: what else linear evaluation could have done.

python -m experiments.table7 --scale=paper --print

Paper: the classifier sees the augmentations of pretraining, or its logits are
clipped and penalised, or both. With neither it is Table 1's run.
"""

from . import encoders, runner
from .declare import Column, Experiment, Row

_ENCODERS = {
  "ResNet-50 (1x)": (50, 1),
  "ResNet-50 (4x)": (50, 4),
  "ResNet-200 (2x)": (200, 2),
}


_REGULARIZED = {"training.logit_clip": 20.0, "training.logit_penalty": 1e-2}


def _row(encoder: str, pretrain: bool, regularized: bool) -> Row:
  evaluation = {
    **({"augment.kind": "pretraining"} if pretrain else {}),
    **(_REGULARIZED if regularized else {}),
  }
  name = f"{encoder}; pretrain_aug={pretrain}; logit_reg={regularized}"
  return encoders.row(name, *_ENCODERS[encoder], evaluation)._replace(x=None)


EXPERIMENTS = (
  Experiment(
    name="table7",
    paper="table7",
    title="Variants of linear evaluation",
    base="main",
    columns=(
      Column("top1", "top-1"),
      Column("top5", "top-5", score="top5"),
    ),
    rows=tuple(
      _row(encoder, pretrain, regularized)
      for encoder in _ENCODERS
      for regularized in (False, True)
      for pretrain in (False, True)
    ),
    seeds=(0,),
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
