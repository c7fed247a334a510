"""The three scales of the experiments: the same rows, other data and sizes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from . import recipes
from .recipes import EVAL, Recipe

PARTS = ("train", "test")


class Scale(NamedTuple):
  """Where an experiment is run.

  Attributes:
    name: as `--scale` has it.
    about: data, network and device, for people.
    bases: pretraining by name: "ablation", "main", "stl10", "photographs".
    evaluations: by name, as `declare.Column.evaluation` has it.
    folder: whether `--data` is a folder of pictures; else TFDS's.
    seen: parts of the data that pretraining opens.
    supervised: by name of a base, what trains its encoder by labels.
  """

  name: str
  about: str
  bases: Mapping[str, Recipe]
  evaluations: Mapping[str, Recipe]
  folder: bool
  seen: tuple[str, ...] = PARTS
  supervised: Mapping[str, Recipe] = MappingProxyType({})


# Presets of the dense tasks for the sets of docs/experiments.md.
_SMALL = ("camvid", "coco128", "nyu_desk")


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
  by_labels = Recipe(f"{EVAL}/supervised.py:100percent")
  return Scale(
    name="paper",
    about="ImageNet, ResNet-50, as in the paper; a TPU pod",
    bases={
      "ablation": Recipe("configs/imagenet.py:300"),
      "main": Recipe("configs/imagenet.py:1000"),
      "stl10": Recipe("configs/stl10.py"),
      "photographs": Recipe("configs/imagenet.py:1000"),
    },
    evaluations={
      "linear": Recipe(f"{EVAL}/linear.py"),
      "linear_places365": Recipe(f"{EVAL}/linear.py", places),
      "stl10_halves": Recipe(f"{EVAL}/logistic.py:own", halves),
      **{f"finetune_{x}": Recipe(f"{EVAL}/finetune.py:{x}") for x in names},
      "supervised_100percent": by_labels,
      **recipes.transfer(),
      **recipes.dense("voc2012", "voc2007", "nyu"),
    },
    folder=False,
    supervised={"photographs": by_labels},
  )


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
      "photographs": Recipe(
        "configs/folder.py",
        about="photographs, ResNet-18 on views of 128 px; one GPU",
      ),
    },
    evaluations={
      "linear": recipes.classify("linear.py", **once),
      "stl10_halves": recipes.classify("linear.py", **once),
      **recipes.shares(),
      **recipes.supervised(**short),
      **recipes.transfer(),
      **recipes.dense(*_SMALL),
    },
    folder=True,
    supervised=recipes.by_labels(
      **{
        "training.batch_size": 256,
        "training.num_epochs": (300.0,),
        "optimizer.learning_rates": (0.2,),
      }
    ),
  )


def _desk() -> Scale:
  few = {"data.train_share": 0.2, "evaluation.batch_size": 1000}
  # The paper's protocol on features that are computed once, with the paper's
  # highest rate in the middle: the features are smaller here.
  linear = recipes.classify(
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
      "photographs": Recipe(
        "configs/folder.py:cpu",
        about="photographs, a small network; two CPU cores",
      ),
    },
    evaluations={
      "linear": linear,
      "stl10_halves": linear,
      **recipes.shares(**short, **rates),
      **recipes.supervised(**short),
      **recipes.dense(*_SMALL),
    },
    folder=True,
    seen=("train",),
    supervised=recipes.by_labels(
      **{
        "training.batch_size": 64,
        "training.num_epochs": (100.0,),
        "optimizer.learning_rates": (0.4,),
      }
    ),
  )


SCALES: Mapping[str, Scale] = {
  scale.name: scale for scale in (_paper(), _gpu(), _desk())
}
