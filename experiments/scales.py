"""The three scales of the experiments: the same rows, other data and sizes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from byol_jax.data import benchmark_sets

from . import declare

_EVAL = "configs/eval"
PARTS = ("train", "test")


class Recipe(NamedTuple):
  """A config, and what is changed in it.

  Attributes:
    config: file of configs/, with `:preset` where it has presets.
    changes: by dotted key.
  """

  config: str
  changes: declare.Changes = MappingProxyType({})


class Scale(NamedTuple):
  """Where an experiment is run.

  Attributes:
    name: as `--scale` has it.
    about: data, network and device, for people.
    bases: pretraining by name: "ablation", "main", "stl10".
    evaluations: by name, as `declare.Column.evaluation` has it.
    folder: whether `--data` is a folder of pictures; else TFDS's.
    seen: parts of the data that pretraining opens.
  """

  name: str
  about: str
  bases: Mapping[str, Recipe]
  evaluations: Mapping[str, Recipe]
  folder: bool
  seen: tuple[str, ...] = PARTS


def _transfer() -> dict[str, Recipe]:
  """Each set of Table 3, by each of its protocols."""
  found = {}
  for name in benchmark_sets.SETS:
    one = {"data.sets": (name,)}
    found |= {
      f"transfer_linear_{name}": Recipe(f"{_EVAL}/logistic.py:{name}"),
      f"transfer_finetune_{name}": Recipe(f"{_EVAL}/finetune.py:transfer", one),
    }
  return found


def _paper() -> Scale:
  places = {
    "data.tfds_name": "places365_small",
    "data.train_split": "train[:99%]",
    "data.valid_split": "train[99%:]",
  }
  # The blog fits on one half of STL-10's test part and scores on the other.
  halves = {
    "data.source": "tfds",
    "data.tfds_name": "stl10",
    "data.train_split": "test[:50%]",
    "data.test_split": "test[50%:]",
  }
  names = ("1percent", "10percent", "100percent")
  return Scale(
    name="paper",
    about="ImageNet, ResNet-50, as in the paper; a TPU pod",
    bases={
      "ablation": Recipe("configs/imagenet.py:300"),
      "main": Recipe("configs/imagenet.py:1000"),
      "stl10": Recipe("configs/stl10.py"),
    },
    evaluations={
      "linear": Recipe(f"{_EVAL}/linear.py"),
      "linear_places365": Recipe(f"{_EVAL}/linear.py", places),
      "stl10_halves": Recipe(f"{_EVAL}/logistic.py:own", halves),
      **{f"finetune_{x}": Recipe(f"{_EVAL}/finetune.py:{x}") for x in names},
      "supervised_100percent": Recipe(f"{_EVAL}/supervised.py:100percent"),
      **_transfer(),
    },
    folder=False,
  )


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


def _classify(preset: str, **changes: Any) -> Recipe:
  """A protocol of classify.py on CIFAR-10."""
  own = {"training.batch_size": 256, "evaluation.batch_size": 1000}
  return Recipe(f"{_EVAL}/{preset}", {**_CIFAR, **_HELD_OUT, **own, **changes})


def _shares(**changes: Any) -> dict[str, Recipe]:
  """The protocols of Table 2, with a share of each class."""
  shares = {"1percent": 0.01, "10percent": 0.1, "100percent": 1.0}
  return {
    f"finetune_{name}": _classify(
      "finetune.py:100percent", **{"data.train_share": share, **changes}
    )
    for name, share in shares.items()
  }


def _supervised(**changes: Any) -> dict[str, Recipe]:
  """From scratch, by all labels."""
  made = _classify("supervised.py:100percent", **changes)
  return {"supervised_100percent": made}


def _gpu() -> Scale:
  # Features once: with new crops in each epoch it is the longer part of a run.
  once = {"augment.kind": "none"}
  short = {"training.num_epochs": (30.0,)}
  base = "configs/cifar10.py"
  return Scale(
    name="gpu",
    about="CIFAR-10, ResNet-18, 100 epochs (main: 400); one GPU",
    bases={
      "ablation": Recipe(base, {"training.num_epochs": 100.0}),
      "main": Recipe(base, {"training.num_epochs": 400.0}),
      "stl10": Recipe(
        base,
        {
          "training.num_epochs": 10.0,
          "training.warmup_epochs": 0.0,
          "optimizer.name": "sgd",
          "optimizer.base_learning_rate": 0.03,
          "optimizer.weight_decay": 4e-4,
          "target.base_decay": 0.996,
          "target.constant": True,
          "network.projector_hidden": (512,),
          "network.predictor_hidden": (512,),
          "network.projection_dim": 128,
        },
      ),
    },
    evaluations={
      "linear": _classify("linear.py", **once),
      "stl10_halves": _classify("linear.py", **once),
      **_shares(),
      **_supervised(**short),
      **_transfer(),
    },
    folder=True,
  )


def _desk() -> Scale:
  few = {"data.train_share": 0.2, "evaluation.batch_size": 1000}
  # The paper's protocol on features that are computed once, with the paper's
  # highest rate in the middle: the features are smaller here.
  linear = _classify(
    "linear.py",
    **few,
    **{
      "augment.kind": "none",
      "data.hold_out_share": 0.04,
      "training.num_epochs": (40.0,),
      "optimizer.learning_rates": (0.1, 0.2, 0.4, 1.0, 3.0),
    },
  )
  short = {"training.num_epochs": (10.0,), "training.batch_size": 128}
  rates = {"optimizer.learning_rates": (0.02, 0.1)}
  base = "configs/cifar10.py:desk"
  return Scale(
    name="desk",
    about="CIFAR-10, a small network; two CPU cores",
    bases={
      "ablation": Recipe(base),
      "main": Recipe(base),
      # Few large steps, as there: with many small ones the heads without a
      # norm begin to learn after all.
      "stl10": Recipe(
        base,
        {
          "training.batch_size": 128,
          "training.num_epochs": 3.0,
          "optimizer.base_learning_rate": 0.4,
        },
      ),
    },
    evaluations={
      "linear": linear,
      "stl10_halves": linear,
      **_shares(**short, **rates),
      **_supervised(**short),
    },
    folder=True,
    seen=("train",),
  )


SCALES: Mapping[str, Scale] = {
  scale.name: scale for scale in (_paper(), _gpu(), _desk())
}
