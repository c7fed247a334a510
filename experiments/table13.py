"""Table 13: pretraining on Places365 instead of ImageNet.

python -m experiments.table13 --scale=paper --print

Paper: as the main run, 1000 epochs. TFDS has to prepare places365_small, whose
pictures have 256 pixels.
"""

from . import runner, table3
from .declare import Column, Experiment, Row
from .methods import SIMCLR_MAIN

_PLACES = {"data.tfds_name": "places365_small"}
_ONE_SET = dict.fromkeys(
  ("gpu", "desk"), "It compares two data sets for pretraining; here is one."
)
_LINEAR = (
  Column("Places365", "Places365", evaluation="linear_places365"),
  Column("ImageNet", "ImageNet"),
)

EXPERIMENTS = (
  Experiment(
    name="table13",
    paper="table13",
    title="Pretraining on Places365",
    base="main",
    columns=_LINEAR
    + tuple(x for x in table3.columns("linear") if x.name != "VOC2007"),
    rows=(
      Row("BYOL-IN", {}),
      Row("BYOL-PL", _PLACES),
      Row("SimCLR-PL", {**SIMCLR_MAIN, **_PLACES}),
    ),
    seeds=(0,),
    missing=_ONE_SET,
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
