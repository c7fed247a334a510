"""Recipes: configs and what is changed in them, for several scales."""

from types import MappingProxyType
from typing import Any, NamedTuple

from byol_jax.data import benchmark_sets

from . import declare

EVAL = "configs/eval"
# The sets of the dense tasks, by preset.
_SETS = {
  "voc2012": "VOC2012, train_aug and val",
  "voc2007": "VOC2007, trainval and test, 11-point AP50",
  "nyu": "NYU v2, depth in metres",
  "camvid": "CamVid at 320x240, 367 pictures to train on and 101 to test",
  "coco128": "COCO128, trained and tested on the same 128 pictures",
  "nyu_desk": "160 pictures of NYU v2 with relative depth, a quarter to test",
}
# Where CIFAR-10 stands in for ImageNet.
_CIFAR = {
  "data.source": "tfds",
  "data.tfds_name": "cifar10",
  "data.train_split": "train",
  "data.valid_split": "",
  "data.test_split": "test",
  "data.views": "memory",
  "evaluation.crop_share": 1.0,
}
_HELD_OUT = {"data.hold_out": "balanced", "data.hold_out_share": 0.1}


class Recipe(NamedTuple):
  """A config, and what is changed in it.

  Attributes:
    config: file of configs/, with `:preset` where it has presets.
    changes: by dotted key.
    about: for people, its data and more; "" for what the scale is about.
  """

  config: str
  changes: declare.Changes = MappingProxyType({})
  about: str = ""


def transfer() -> dict[str, Recipe]:
  """Each set of Table 3, by each of its protocols."""
  found = {}
  for name in benchmark_sets.SETS:
    one = {"data.sets": (name,)}
    found |= {
      f"transfer_linear_{name}": Recipe(f"{EVAL}/logistic.py:{name}"),
      f"transfer_finetune_{name}": Recipe(f"{EVAL}/finetune.py:transfer", one),
    }
  return found


def dense(segmentation: str, detection: str, depth: str) -> dict[str, Recipe]:
  """The protocols of Table 4, by their presets."""
  presets = {
    "segmentation": segmentation,
    "detection": detection,
    "depth": depth,
  }
  return {
    name: Recipe(f"{EVAL}/{name}.py:{preset}", about=_SETS[preset])
    for name, preset in presets.items()
  }


def classify(preset: str, **changes: Any) -> Recipe:
  """A protocol of classify.py on CIFAR-10."""
  own = {"training.batch_size": 256, "evaluation.batch_size": 1000}
  return Recipe(f"{EVAL}/{preset}", {**_CIFAR, **_HELD_OUT, **own, **changes})


def shares(**changes: Any) -> dict[str, Recipe]:
  """The protocols of Table 2, with a share of each class."""
  parts = {"1percent": 0.01, "10percent": 0.1, "100percent": 1.0}
  return {
    f"finetune_{name}": classify(
      "finetune.py:100percent", **{"data.train_share": share, **changes}
    )
    for name, share in parts.items()
  }


def supervised(**changes: Any) -> dict[str, Recipe]:
  """From scratch, by all labels."""
  made = classify("supervised.py:100percent", **changes)
  return {"supervised_100percent": made}


def by_labels(**changes: Any) -> dict[str, Recipe]:
  """Supervised training on photographs, as long as that without labels."""
  changes |= {
    "data.source": "folder",
    "data.tfds_name": "",
    # With one rate nothing is chosen: as few as there may be.
    "data.hold_out": "random",
    "data.hold_out_images": 10,
    "evaluation.batch_size": 256,
    "evaluation.every_epochs": 0.0,
  }
  return {"photographs": Recipe(f"{EVAL}/supervised.py:100percent", changes)}
