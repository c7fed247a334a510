"""Configs of configs/, with what an experiment changes in them."""

import functools
import runpy
from collections.abc import Mapping
from typing import Any

import ml_collections

from byol_jax import rules, shipped

# What an untrained encoder of an evaluation has of a pretraining's config.
_ARCHITECTURE = "network."
# Where an evaluation has the side of the pictures of a pretraining.
_SIZES = ("network.image_px", "data.image_px")

Settings = tuple[tuple[str, Any], ...]


def built(config: str, changes: Settings) -> ml_collections.ConfigDict:
  """A config with its changes, as `--config` and its keys would make it.

  Args:
    config: file of configs/ with its preset.
    changes: from `changed`.

  Raises:
    ValueError: the config has no such key, or no such type.
  """
  found = _load(config).copy_and_resolve_references()
  try:
    found.update_from_flattened_dict(dict(changes))
  except (KeyError, TypeError) as error:
    raise ValueError(f"{config} cannot take {changes}: {error}.") from error
  return found


def multiple(value: float, factor: float) -> float:
  """A multiple; of a count a whole one."""
  if isinstance(value, int):
    return round(value * factor)
  # Twelve digits hide that 0.3 x 0.1 is not 0.03.
  return float(f"{value * factor:.12g}")


def changed(config: str, changes: Mapping[str, Any]) -> Settings:
  """Changes that change something, with the types that the config has.

  Args:
    config: file of configs/ with its preset.
    changes: by dotted key.

  Returns:
    Keys and values, sorted.

  Raises:
    ValueError: the config has no such key.
  """
  known, found = dict(rules.flatten(_load(config))), []
  for key, value in sorted(changes.items()):
    if key not in known:
      raise ValueError(f"{config} has no key {key}.")
    if isinstance(known[key], (float, tuple)):
      value = type(known[key])(value)
    if value != known[key]:
      found.append((key, value))
  return tuple(found)


def architecture(
  pretraining: ml_collections.ConfigDict, config: str
) -> dict[str, Any]:
  """The encoder of a pretraining, as an evaluation's config names it.

  Args:
    pretraining: its config.
    config: of the evaluation, file of configs/ with its preset.

  Returns:
    Values by dotted key, some of which change nothing.
  """
  theirs = dict(rules.flatten(pretraining))
  ours = dict(rules.flatten(_load(config)))
  named = {key: x for key, x in theirs.items() if key.startswith(_ARCHITECTURE)}
  sizes = dict.fromkeys(_SIZES, theirs["data.image_px"])
  return {k: x for k, x in {**named, **sizes}.items() if k in ours}


@functools.cache
def _load(config: str) -> ml_collections.ConfigDict:
  """What a file of configs/ returns for a preset."""
  path, _, preset = config.partition(":")
  get_config = runpy.run_path(shipped.find_config(path))["get_config"]
  return get_config(preset) if preset else get_config()
