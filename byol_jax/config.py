"""Checks a config, so that a mistake costs one sentence and no time.

What each key may hold is in `schema`; here is what the values have to do with
each other, with the devices and with the disk.
"""

import math
from collections.abc import Mapping
from typing import Any

import ml_collections

from byol_jax import (
  dense_settings,
  encoders,
  evaluation_settings,
  pretraining_settings,
  rules,
  schema,
  schema_dense,
)
from byol_jax.networks import network, widths


def validate(config: ml_collections.ConfigDict, num_devices: int) -> None:
  """Checks a config before anything is built.

  Args:
    config: a config as the files of `configs/` return it.
    num_devices: accelerators of all processes together.

  Raises:
    ValueError: a key is unknown or missing, a value has the wrong type or is
      out of range, two values contradict each other, or a path is missing.
  """
  values = dict(rules.flatten(config))
  protocol = values.get("protocol")
  _check_rules(values, schema.of(protocol))
  _check_division(values, num_devices)
  if protocol is None:
    pretraining_settings.check(values)
  elif protocol in schema_dense.TASKS:
    dense_settings.check(values)
  else:
    evaluation_settings.check(values)
  _check_groups(config.network, protocol is None)


def is_evaluation(config: ml_collections.ConfigDict) -> bool:
  """Whether a config is one of configs/eval: it names a protocol."""
  return "protocol" in config


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
    is_of_type = type(value) in rule.types
    if is_of_type:
      _check_magnitudes(key, value)
    if not is_of_type or not rule.holds(value):
      raise ValueError(
        f"{key} must be {rule.allowed}, not {rules.shown(value)}."
      )


def _check_magnitudes(key: str, value: Any) -> None:
  """Refuses numbers that would become others on a device."""
  numbers = value if isinstance(value, tuple) else (value,)
  for x in (x for x in numbers if type(x) in rules.LARGEST):
    largest = rules.LARGEST[type(x)]
    if largest < abs(x) < math.inf:
      raise ValueError(
        f"{key} has {rules.shown(x)}; nothing may be larger than {largest:,}."
      )
    if 0 < abs(x) < rules.SMALLEST:
      raise ValueError(
        f"{key} has {rules.shown(x)}; nothing but 0 may be smaller than"
        f" {rules.SMALLEST}."
      )


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


def _check_groups(section: ml_collections.ConfigDict, heads: bool) -> None:
  """Refuses group norms whose groups do not divide the channels."""
  spec = encoders.spec_of(section)
  if heads:
    spec = network.Spec(num_classes=0, **section)
  for width in widths.of_group_norms(spec):
    if width % spec.norm_groups:
      raise ValueError(
        f"network.norm_groups={spec.norm_groups} cannot divide the {width} "
        "channels of a group norm."
      )
  if heads and spec.norm_groups in widths.of_heads(spec):
    raise ValueError(
      f"network.norm_groups={spec.norm_groups} leaves groups of one number in a"
      " head, of which a group norm makes zeros."
    )
