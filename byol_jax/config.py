"""Checks a config, so that a mistake costs one sentence and no time.

What each key may hold is in `schema`; here is what the values have to do with
each other, with the devices and with the disk.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import ml_collections
from etils import epath

from byol_jax import rules, schema

# The stem and the groups of a ResNet for ImageNet shrink a picture 32 times.
_MIN_IMAGENET_STEM_PX = 32
# What each source cannot do without.
_NEEDED = {
  "tfds": ("data.tfds_name", "data.train_split"),
  "folder": ("data.train_path",),
  "photo_patches": (),
}


def validate(config: ml_collections.ConfigDict, num_devices: int) -> None:
  """Checks a config before anything is built.

  Args:
    config: a config as the files of `configs/` return it.
    num_devices: accelerators of all processes together.

  Raises:
    ValueError: a key is unknown or missing, a value has the wrong type or is
      out of range, two values contradict each other, or a path is missing.
  """
  values = dict(_flatten(config))
  protocol = values.get("protocol")
  _check_rules(values, schema.of(protocol))
  _check_division(values, num_devices)
  if protocol is None:
    _check_agreement(values)
    _check_data(values)
  else:
    _check_evaluation(values)


def is_evaluation(config: ml_collections.ConfigDict) -> bool:
  """Whether a config is one of configs/eval: it names a protocol."""
  return "protocol" in config


def _flatten(
  config: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
  for key, value in config.items():
    if isinstance(value, ml_collections.ConfigDict):
      yield from _flatten(value, f"{prefix}{key}.")
    else:
      yield f"{prefix}{key}", value


def _check_rules(
  values: Mapping[str, Any], known: Mapping[str, rules.Rule]
) -> None:
  """Checks each key on its own."""
  for key in values:
    schema.check_key(key, known)
  for key, rule in known.items():
    if key not in values:
      raise ValueError(f"The config lacks {key}, which is {rule.allowed}.")
    value = values[key]
    if type(value) not in rule.types or not rule.holds(value):
      raise ValueError(f"{key} must be {rule.allowed}, not {value!r}.")


def _check_division(values: Mapping[str, Any], num_devices: int) -> None:
  batch_size = values.get("training.batch_size", num_devices)
  parts = values.get("training.micro_batches", 1)
  if batch_size % (num_devices * parts):
    raise ValueError(
      f"training.batch_size={batch_size} cannot be divided by {num_devices} "
      f"devices x {parts} micro-batches."
    )
  evaluated = values["evaluation.batch_size"]
  if evaluated % num_devices:
    raise ValueError(
      f"evaluation.batch_size={evaluated} cannot be divided by {num_devices} "
      "devices."
    )


def _check_agreement(values: Mapping[str, Any]) -> None:
  warmup, total = (
    values["training.warmup_epochs"],
    values["training.num_epochs"],
  )
  if warmup >= total:
    raise ValueError(
      f"training.warmup_epochs={warmup:g} must be less than "
      f"training.num_epochs={total:g}."
    )
  bank = values["evaluation.knn_images"]
  neighbours = values["evaluation.knn_neighbours"]
  if 0 < bank < neighbours:
    raise ValueError(
      f"evaluation.knn_images={bank} must be 0 or at least "
      f"evaluation.knn_neighbours={neighbours}."
    )
  image_px, stem = values["data.image_px"], values["network.stem"]
  if stem == "imagenet" and image_px < _MIN_IMAGENET_STEM_PX:
    raise ValueError(
      f"data.image_px={image_px} is too small for network.stem=imagenet, which "
      f"needs {_MIN_IMAGENET_STEM_PX} or more; cifar is the stem for less."
    )


def _check_data(values: Mapping[str, Any]) -> None:
  """Checks that the source is named and that what is local exists."""
  source = values["data.source"]
  for key in _NEEDED[source]:
    if not values[key]:
      raise ValueError(f"data.source={source} needs {key}, which is empty.")
  folders = ("data.train_path", "data.test_path") if source == "folder" else ()
  for key in ("init_from", *folders):
    if values[key] and not epath.Path(values[key]).exists():
      raise ValueError(f"{key}={values[key]} does not exist.")


def _check_evaluation(values: Mapping[str, Any]) -> None:
  """What the settings of an evaluation have to do with each other."""
  encoder = values["encoder"]
  if not encoder:
    raise ValueError("encoder is empty: name a workdir, random or pixels.")
  drawn = encoder in ("random", "pixels")
  for key in ("like",) if drawn else ("encoder", "like"):
    if values[key] and not epath.Path(values[key]).exists():
      raise ValueError(f"{key}={values[key]} does not exist.")
  if values["like"] and not drawn:
    raise ValueError(
      f"like={values['like']} is for encoder=random and pixels; "
      f"encoder={encoder} has an architecture of its own."
    )
  _check_labelled(values)
  if values["protocol"] == "classify":
    _check_training(values)


def _check_labelled(values: Mapping[str, Any]) -> None:
  """Checks that the labelled parts are named and that what is local exists."""
  source, sets = values["data.source"], values["data.sets"]
  if (source == "set") != bool(sets):
    raise ValueError(
      f"data.source={source} does not go with data.sets={sets}: the sets are "
      "for data.source=set."
    )
  needed = {
    "tfds": ("data.tfds_name", "data.train_split", "data.test_split"),
    "folder": ("data.train_path", "data.test_path"),
  }
  for key in needed.get(source, ()):
    if not values[key]:
      raise ValueError(f"data.source={source} needs {key}, which is empty.")
  for part in ("train", "valid", "test"):
    path = values[f"data.{part}_path"]
    if source == "folder" and path and not epath.Path(path).exists():
      raise ValueError(f"data.{part}_path={path} does not exist.")
  none = values["data.hold_out"] == "none"
  if none != (values["protocol"] == "knn") and source != "set":
    raise ValueError(
      f"data.hold_out={values['data.hold_out']} does not go with "
      f"protocol={values['protocol']}: only k-NN chooses nothing."
    )
  if values["data.hold_out"] not in ("given", "none"):
    _check_hold_out(values)
  _check_refit(values)


def _check_refit(values: Mapping[str, Any]) -> None:
  """Of a share, the last fit would get the labels of all held-out pictures."""
  refits = values["protocol"] == "logistic" or values.get("training.refit")
  if refits and values["data.train_share"] < 1:
    raise ValueError(
      f"data.train_share={values['data.train_share']} must be 1 where the last "
      "fit is on train and valid (protocol=logistic, training.refit=True)."
    )


def _check_hold_out(values: Mapping[str, Any]) -> None:
  count = values["data.hold_out_images"]
  share = values["data.hold_out_share"]
  if not count and not share:
    raise ValueError(
      f"data.hold_out={values['data.hold_out']} needs data.hold_out_images or "
      "data.hold_out_share; both are 0."
    )


def _check_training(values: Mapping[str, Any]) -> None:
  """Checks the settings of linear evaluation and fine-tuning."""
  frozen, kind = values["training.frozen"], values["augment.kind"]
  if values["encoder"] == "pixels" and not frozen:
    raise ValueError("encoder=pixels has no weights: set training.frozen=True.")
  if kind == "none" and not frozen:
    raise ValueError(
      "augment.kind=none caches features: it goes with training.frozen=True."
    )
  if values["data.metric"] == "map11" and values["training.label_smoothing"]:
    raise ValueError(
      "training.label_smoothing is for one label a picture, not for "
      "data.metric=map11."
    )
  zero = 0 in values["optimizer.learning_rates"]
  if zero and values["optimizer.decay_over_rate"]:
    raise ValueError(
      "optimizer.decay_over_rate divides by the learning rate, which must not "
      "be 0."
    )
  if frozen and values["optimizer.decay_over_rate"]:
    raise ValueError(
      "optimizer.decay_over_rate is for fine-tuning: training.frozen=False."
    )
  if not values["training.num_steps"] and 0 in values["training.num_epochs"]:
    raise ValueError("training.num_epochs must be above 0.")
