"""Table 17: BYOL and SimCLR without some of the augmentations.

python -m experiments.table17 --scale=desk

Paper: as Table 5(a). BYOL falls less than SimCLR, most clearly without colour.
The other scales' base has no blur: there rows that take it away are left out,
and those that are about blur state how much.
"""

from . import runner, table16
from .declare import Experiment, Row

_NO_BLUR = dict.fromkeys(
  ("gpu", "desk"), "The base has no blur, so that this equals another row."
)
_BLUR = {
  "augment.set": "crop_and_blur",
  "augment.view1.blur": 1.0,
  "augment.view2.blur": 0.1,
}
_SOLARIZE = {"augment.view1.solarize": 0.2, "augment.view2.solarize": 0.2}


def _set(name: str) -> dict[str, str]:
  return {"augment.set": name}


ROWS = (
  Row("Baseline", _set("baseline")),
  Row("Remove flip", _set("no_flip")),
  Row("Remove blur", _set("no_blur"), missing=_NO_BLUR),
  Row("Remove color (jittering and grayscale)", _set("no_color")),
  Row("Remove color jittering", _set("no_jitter")),
  Row("Remove grayscale", _set("no_grayscale")),
  Row("Remove blur in T'", _set("no_blur_in_view2"), missing=_NO_BLUR),
  Row("Remove solarize in T'", _set("no_solarize_in_view2")),
  Row(
    "Remove blur and solarize in T'",
    _set("no_blur_nor_solarize_in_view2"),
    missing=_NO_BLUR,
  ),
  Row(
    "Symmetric blurring/solarization",
    _set("symmetric"),
    at={"gpu": _SOLARIZE, "desk": _SOLARIZE},
  ),
  Row("Crop only", _set("crop_only")),
  Row("Crop and flip only", _set("crop_and_flip")),
  Row("Crop and color only", _set("crop_and_color")),
  Row(
    "Crop and blur only",
    _set("crop_and_blur"),
    at={"gpu": _BLUR, "desk": _BLUR},
  ),
)

EXPERIMENTS = (
  Experiment(
    name="table17",
    paper="table17",
    title="Augmentations",
    base="ablation",
    columns=table16.columns("top1", "top-1") + table16.columns("top5", "top-5"),
    rows=ROWS,
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
