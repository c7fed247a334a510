"""The text beside each saved state: its config, origin and checksums."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

import chex
import jax
import numpy as np

from byol_jax import rules

# Settings that say what a state is: of a key that ends with a dot, all below
# it. Those of data, views, schedules, lengths, rates and periods may change
# under way; "Continuing with changed settings" names them.
_IDENTITY = ("network.", "objective.", "target.kind", "optimizer.name")


def make(
  tree: chex.ArrayTree,
  config_json: str,
  versions: Mapping[str, str],
  pending: Mapping[str, Any] | None,
) -> dict[str, Any]:
  """Describes a state that is about to be saved.

  Args:
    tree: NumPy arrays.
    config_json: the config that made them.
    versions: of what they depend on.
    pending: what else the next run has to know, as JSON can say it.

  Returns:
    What JSON can say: "config", "versions", "pending", "leaves" (type, shape
    and checksum by path) and a checksum of all these.
  """
  described = {
    "config": json.loads(config_json),
    "versions": dict(versions),
    "pending": json.loads(json.dumps(pending)),
    "leaves": {path: _signature(x) for path, x in by_path(tree).items()},
  }
  return {**described, "crc32": _seal(described)}


def flaw(manifest: Mapping[str, Any], tree: chex.ArrayTree) -> str:
  """Says what a restored state and its manifest show to be damaged.

  Neither zstd nor the format below it notices every bit that flips.

  Args:
    manifest: from `make`, or of an older program, which gave no checksums.
    tree: the state, of NumPy arrays.

  Returns:
    The first flaw, "" where there is none.
  """
  if "leaves" not in manifest and "crc32" not in manifest:
    return ""
  if manifest.get("crc32") != _seal(manifest):
    return "config/metadata is not as it was written"
  found = {path: _signature(x) for path, x in by_path(tree).items()}
  saved = manifest["leaves"]
  differing = [x for x in {**saved, **found} if saved.get(x) != found.get(x)]
  return f"{differing[0]} is not as it was written" if differing else ""


def changes(manifest: Mapping[str, Any], config_json: str) -> list[str]:
  """Says which settings are no longer those that made a state.

  Args:
    manifest: from `make`.
    config_json: the present config.

  Returns:
    One "key old -> new" for each setting that differs.
  """
  old, new = _both(manifest, config_json)
  return [
    f"{key} {old.get(key)} -> {new.get(key)}"
    for key in sorted(set(old) | set(new))
    if old.get(key) != new.get(key)
  ]


def conflicts(manifest: Mapping[str, Any], config_json: str) -> list[str]:
  """Says which settings make a state another network's or objective's.

  Args:
    manifest: from `make`.
    config_json: the present config.

  Returns:
    One "key is old there and new here" for each that differs. What one of the
    configs lacks is younger than the other, and no conflict.
  """
  old, new = _both(manifest, config_json)
  return [
    f"{key} is {json.dumps(old[key])} there and {json.dumps(new[key])} here"
    for key in sorted(set(old) & set(new))
    if old[key] != new[key] and _identifies(key)
  ]


def differences(saved: chex.ArrayTree, wanted: chex.ArrayTree) -> list[str]:
  """Says where two trees differ in paths, types and shapes of their leaves."""
  there, here = _types(saved), _types(wanted)
  found = [f"it lacks {key}" for key in sorted(set(here) - set(there))]
  found += [
    f"it has {key}, unknown here" for key in sorted(set(there) - set(here))
  ]
  return found + [
    f"{key} is {there[key]} there and {leaf} here"
    for key, leaf in sorted(here.items())
    if there.get(key, leaf) != leaf
  ]


def by_path(tree: chex.ArrayTree) -> dict[str, Any]:
  """Leaves by path (fields, keys and places joined by slashes), in order."""
  pairs, _ = jax.tree.flatten_with_path(tree)
  return {
    jax.tree_util.keystr(path, simple=True, separator="/"): leaf
    for path, leaf in pairs
  }


def _identifies(key: str) -> bool:
  return any(
    key.startswith(known) if known.endswith(".") else key == known
    for known in _IDENTITY
  )


def _types(tree: chex.ArrayTree) -> dict[str, str]:
  return {path: _type(leaf) for path, leaf in by_path(tree).items()}


def _type(leaf: chex.Array) -> str:
  """Such as float32[3, 4]."""
  return f"{np.dtype(leaf.dtype).name}{list(leaf.shape)}"


def _signature(leaf: chex.Array) -> str:
  """Type, shape and checksum of the bytes."""
  leaf = np.asarray(leaf)
  # As bytes: not every type of ml_dtypes can be handed on as a buffer.
  checksum = zlib.crc32(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8))
  return f"{_type(leaf)} {checksum:08x}"


def _seal(manifest: Mapping[str, Any]) -> str:
  """Checksum of everything but itself."""
  rest = {key: value for key, value in manifest.items() if key != "crc32"}
  return f"{zlib.crc32(json.dumps(rest, sort_keys=True).encode()):08x}"


def _both(
  manifest: Mapping[str, Any], config_json: str
) -> tuple[dict[str, Any], dict[str, Any]]:
  """The settings then and now, by dotted key."""
  then, now = manifest["config"], json.loads(config_json)
  return dict(rules.flatten(then)), dict(rules.flatten(now))
