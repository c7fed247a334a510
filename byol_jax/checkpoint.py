"""Checkpoints of any state tuple, written by Orbax in the background.

One folder per step: `state/` holds the arrays, `config/metadata` the JSON
text of the config and the package versions that made them. A step counts only
once it is whole: what a killed process has begun is ignored, then removed.
"""

import json
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import chex
import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

# Where a workdir keeps its checkpoints.
FOLDER = "checkpoints"
_PACKAGES = ("jax", "jaxlib", "dm-haiku", "optax", "numpy", "orbax-checkpoint")
# Differences that one message names; more help nobody.
_MAX_NAMED = 5


class CheckpointError(ValueError):
  """A checkpoint that does not fit, said in one sentence."""


def open_manager(folder: str, keep: int) -> ocp.CheckpointManager:
  """Opens a folder of checkpoints, which is made if it is missing.

  Every process of a run calls this, and `save`, `restore` and `close` too;
  they have to see the same file system.

  Args:
    folder: path, relative to the working directory, absolute, or in a bucket
      (gs://, which needs the package gcsfs).
    keep: how many checkpoints to keep, the newest.

  Returns:
    What the other functions of this module take as `manager`; `with` closes it.
  """
  options = ocp.CheckpointManagerOptions(
    max_to_keep=keep, cleanup_tmp_directories=True
  )
  return ocp.CheckpointManager(
    _absolute(folder), options=options, handler_registry=_handlers()
  )


def save(
  manager: ocp.CheckpointManager,
  step: int,
  tree: chex.ArrayTree,
  config_json: str,
) -> None:
  """Copies a state in memory and writes it in the background.

  Orbax passes over a step that is not after the newest, so none is written
  twice. An error of an earlier write is raised by the next call of `save`,
  `wait` or `close`.

  Args:
    manager: from `open_manager`.
    step: number of updates behind the state.
    tree: NumPy arrays, one replica.
    config_json: the config that made them.
  """
  origin = {"config": json.loads(config_json), "versions": versions()}
  items = ocp.args.Composite(
    state=ocp.args.StandardSave(tree), config=ocp.args.JsonSave(origin)
  )
  manager.save(step, args=items)


def latest(manager: ocp.CheckpointManager) -> int | None:
  """The newest whole step, None when there is none yet."""
  return manager.latest_step()


def restore(
  manager: ocp.CheckpointManager, step: int, like: chex.ArrayTree
) -> chex.ArrayTree:
  """Reads a state.

  Args:
    manager: from `open_manager`.
    step: one that was saved.
    like: a tree of the same structure, for example from `jax.eval_shape`.

  Returns:
    The tree as it was saved, of NumPy arrays.

  Raises:
    CheckpointError: the checkpoint has other keys, shapes or types.
  """
  place = f"Checkpoint {step} in {manager.directory}"
  saved = _leaves(manager.item_metadata(step)["state"].tree)
  _check_same(saved, _leaves(like), place)
  items = ocp.args.Composite(state=ocp.args.StandardRestore())
  found = _by_path(manager.restore(step, args=items)["state"])
  # By path: Orbax refuses an empty part that older programs did not have.
  return jax.tree.unflatten(
    jax.tree.structure(like), [np.asarray(found[x]) for x in _by_path(like)]
  )


def changes(
  manager: ocp.CheckpointManager, step: int, config_json: str
) -> list[str]:
  """Says which settings are no longer those that made a checkpoint.

  Args:
    manager: from `open_manager`.
    step: one that was saved.
    config_json: the present config.

  Returns:
    One "key old -> new" for each setting that differs.
  """
  items = ocp.args.Composite(config=ocp.args.JsonRestore())
  origin = manager.restore(step, args=items)["config"]
  old, new = _settings(origin["config"]), _settings(json.loads(config_json))
  return [
    f"{key} {old.get(key)} -> {new.get(key)}"
    for key in sorted(set(old) | set(new))
    if old.get(key) != new.get(key)
  ]


def wait(manager: ocp.CheckpointManager) -> None:
  """Returns when everything that was saved is on disk."""
  manager.wait_until_finished()


def close(manager: ocp.CheckpointManager) -> None:
  """Waits for the writes under way and frees the threads."""
  manager.wait_until_finished()
  manager.close()


def load_params(path: str) -> tuple[dict[str, Any], dict[str, Any]]:
  """Reads the newest state of another run, whatever its structure.

  Args:
    path: a workdir, its folder of checkpoints, or one step in that folder.

  Returns:
    The state as nested dicts of NumPy arrays (tuples became lists, named
    tuples dicts) and the config that made it.

  Raises:
    CheckpointError: there is no whole checkpoint at this path.
  """
  folder, step = _find(path)
  options = ocp.CheckpointManagerOptions(create=False)
  with ocp.CheckpointManager(
    folder, options=options, handler_registry=_handlers()
  ) as manager:
    step = manager.latest_step() if step is None else step
    if step not in manager.all_steps():
      raise CheckpointError(f"There is no finished checkpoint in {path}.")
    items = ocp.args.Composite(
      state=ocp.args.StandardRestore(), config=ocp.args.JsonRestore()
    )
    found = manager.restore(step, args=items)
  return found["state"], found["config"]["config"]


def _find(path: str) -> tuple[epath.Path, int | None]:
  """The folder of checkpoints, and the step if the path names one."""
  inner = epath.Path(path) / FOLDER
  folder = _absolute(inner if inner.is_dir() else path)
  if not folder.is_dir():
    raise CheckpointError(f"{path} is not a folder with checkpoints.")
  if folder.name.isdigit() and folder.parent.name == FOLDER:
    return folder.parent, int(folder.name)
  return folder, None


def _handlers() -> ocp.handlers.CheckpointHandlerRegistry:
  """Says what each folder of a step holds, so that metadata can be read."""
  registry = ocp.handlers.DefaultCheckpointHandlerRegistry()
  state, config = ocp.StandardCheckpointHandler(), ocp.JsonCheckpointHandler()
  registry.add("state", ocp.args.StandardSave, state)
  registry.add("state", ocp.args.StandardRestore, state)
  registry.add("config", ocp.args.JsonSave, config)
  registry.add("config", ocp.args.JsonRestore, config)
  return registry


def _absolute(path: epath.PathLike) -> epath.Path:
  """Orbax wants absolute paths; those of a bucket are."""
  inside = "://" in str(path)
  return epath.Path(path if inside else os.path.abspath(path))


def _settings(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
  """Values by dotted key."""
  found = {}
  for key, value in config.items():
    if isinstance(value, Mapping):
      found.update(_settings(value, f"{prefix}{key}."))
    else:
      found[f"{prefix}{key}"] = value
  return found


def versions() -> dict[str, str]:
  """Versions of Python and of the packages that results depend on."""
  found = {package: metadata.version(package) for package in _PACKAGES}
  return {"python": platform.python_version(), **found}


def _leaves(tree: chex.ArrayTree) -> dict[str, str]:
  """Type and shape by path: fields, keys and places joined by slashes."""
  return {
    path: f"{np.dtype(x.dtype).name}{list(x.shape)}"
    for path, x in _by_path(tree).items()
  }


def _by_path(tree: chex.ArrayTree) -> dict[str, Any]:
  """Leaves by path, in the tree's order."""
  pairs, _ = jax.tree.flatten_with_path(tree)
  return {
    jax.tree_util.keystr(path, simple=True, separator="/"): leaf
    for path, leaf in pairs
  }


def _check_same(
  saved: Mapping[str, str], wanted: Mapping[str, str], place: str
) -> None:
  lacking, extra = set(wanted) - set(saved), set(saved) - set(wanted)
  differences = [f"it lacks {key}" for key in sorted(lacking)]
  differences += [f"it has {key}, unknown here" for key in sorted(extra)]
  differences += [
    f"{key} is {saved[key]} there and {leaf} here"
    for key, leaf in sorted(wanted.items())
    if saved.get(key, leaf) != leaf
  ]
  if differences:
    named = "; ".join(differences[:_MAX_NAMED])
    more = len(differences) - _MAX_NAMED
    rest = f"; and {more} more differences" if more > 0 else ""
    raise CheckpointError(
      f"{place} belongs to another network or optimizer: {named}{rest}."
    )
