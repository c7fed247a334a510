"""Checks a config, so that a mistake costs one sentence and no time.

What each key may hold is in `schema`; here is what the values have to do with
each other, with the devices and with the disk.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import ml_collections
from etils import epath

from byol_jax import evaluation_settings, rules, schema

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
    evaluation_settings.check(values)


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
