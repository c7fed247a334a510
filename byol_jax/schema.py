"""What a config may hold: every key, its type and its range, as data."""

import difflib
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Rule(NamedTuple):
  """What one key may be.

  Attributes:
    types: of the value; not of subclasses, so that True is no number.
    holds: whether a value of such a type is allowed.
    allowed: the same in words, to be read after "must be".
  """

  types: tuple[type, ...]
  holds: Callable[[Any], bool]
  allowed: str


def _text() -> Rule:
  return Rule((str,), lambda value: True, "a text")


def _flag() -> Rule:
  return Rule((bool,), lambda value: True, "True or False")


def _choice(*choices: str) -> Rule:
  return Rule((str,), choices.__contains__, f"one of {', '.join(choices)}")


def _count(low: int) -> Rule:
  return Rule((int,), lambda value: value >= low, f"an integer from {low} up")


def _number(low: float, high: float = math.inf) -> Rule:
  reach = f"from {low:g} up" if math.isinf(high) else f"in [{low:g}, {high:g}]"
  return Rule(
    (int, float),
    lambda value: low <= value <= high and math.isfinite(value),
    f"a number {reach}",
  )


def _positive() -> Rule:
  return Rule(
    (int, float),
    lambda value: value > 0 and math.isfinite(value),
    "a number above 0",
  )


def _decay() -> Rule:
  return Rule((int, float), lambda value: 0 <= value < 1, "a number in [0, 1)")


def _sizes() -> Rule:
  return Rule(
    (tuple,),
    lambda value: all(type(size) is int and size > 0 for size in value),
    "a tuple of positive integers such as (4096,)",
  )


def _numbers(count: int, low: float, high: float, ordered: bool) -> Rule:
  """A tuple of numbers above `low`, up to `high`."""

  def holds(value: Any) -> bool:
    numbers = all(type(number) in (int, float) for number in value)
    return (
      numbers
      and len(value) == count
      and all(low < number <= high for number in value)
      and not (ordered and list(value) != sorted(value))
    )

  order = " in rising order" if ordered else ""
  reach = f"in ({low:g}, {high:g}]"
  return Rule((tuple,), holds, f"{count} numbers {reach}{order}")


_VIEW = {
  "crop_area": _numbers(2, 0.0, 1.0, ordered=True),
  "crop_ratio": _numbers(2, 0.0, 100.0, ordered=True),
  "flip": _number(0, 1),
  "jitter": _number(0, 1),
  "brightness": _number(0, 1),
  "contrast": _number(0, 1),
  "saturation": _number(0, 1),
  "hue": _number(0, 0.5),
  "grayscale": _number(0, 1),
  "blur": _number(0, 1),
  "blur_sigma": _numbers(2, 0.0, 100.0, ordered=True),
  "blur_divider": _positive(),
  "solarize": _number(0, 1),
  "solarize_threshold": _number(0, 1),
}

RULES: Mapping[str, Rule] = {
  "seed": _count(0),
  "init_from": _text(),
  "log_every": _count(1),
  "data.source": _choice("tfds", "folder", "photo_patches"),
  "data.tfds_name": _text(),
  "data.data_dir": _text(),
  "data.train_split": _text(),
  "data.test_split": _text(),
  "data.train_path": _text(),
  "data.test_path": _text(),
  "data.train_prefix": _text(),
  "data.test_prefix": _text(),
  "data.labelled": _flag(),
  "data.corrupt": _choice("skip", "fatal", "unchecked"),
  "data.image_px": _count(8),
  "data.views": _choice("host", "device", "memory"),
  **{f"augment.view1.{key}": rule for key, rule in _VIEW.items()},
  **{f"augment.view2.{key}": rule for key, rule in _VIEW.items()},
  "network.encoder": _choice(
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnet200",
    "resnet8",
    "resnet20",
    "tiny_resnet",
    "one_conv",
  ),
  "network.width_multiplier": _count(1),
  "network.stem": _choice("imagenet", "cifar"),
  "network.zero_init_last_scale": _flag(),
  "network.projector_hidden": _sizes(),
  "network.predictor_hidden": _sizes(),
  "network.projection_dim": _count(1),
  "network.norm_decay": _decay(),
  "network.norm_epsilon": _positive(),
  "network.mean_rgb": _numbers(3, -1.0, 1.0, ordered=False),
  "network.std_rgb": _numbers(3, 0.0, 1.0, ordered=False),
  "training.batch_size": _count(1),
  "training.num_epochs": _positive(),
  "training.warmup_epochs": _number(0),
  "training.micro_batches": _count(1),
  "optimizer.name": _choice("lars", "sgd", "adamw"),
  "optimizer.base_learning_rate": _number(0),
  "optimizer.weight_decay": _number(0),
  "optimizer.momentum": _decay(),
  "optimizer.trust_coefficient": _positive(),
  "optimizer.clip_trust": _flag(),
  "target.base_decay": _number(0, 1),
  "target.constant": _flag(),
  "evaluation.every_epochs": _number(0),
  "evaluation.batch_size": _count(1),
  "evaluation.knn_images": _count(0),
  "evaluation.knn_neighbours": _count(1),
  "evaluation.knn_temperature": _positive(),
  "evaluation.probe_images": _count(0),
  "evaluation.baselines": _flag(),
  "checkpoint.every_epochs": _number(0),
  "checkpoint.keep": _count(1),
}


def check_key(key: str) -> None:
  """Refuses a key that no config has.

  Args:
    key: sections and name, joined by dots.

  Raises:
    ValueError: naming the closest key.
  """
  if key not in RULES:
    close = difflib.get_close_matches(key, RULES, n=1)
    hint = f"; the closest key is {close[0]}" if close else ""
    raise ValueError(f"The config has an unknown key {key}{hint}.")
