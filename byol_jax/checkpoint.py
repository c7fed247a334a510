"""Checkpoints of any state tuple, written by Orbax in the background.

Host 0 alone writes; the others go on meanwhile. One folder per step: `state/`
holds the arrays, `config/metadata` as JSON what made them and checksums. A step
counts only once it is whole: what a killed process has begun is ignored, then
removed.
"""

import logging
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import chex
import orbax.checkpoint as ocp
from etils import epath

from byol_jax import manifest, origin, parallel, step_folder, storage

# Where a workdir keeps its checkpoints.
FOLDER = "checkpoints"
# By these names all callers know them.
CheckpointError, Found = storage.CheckpointError, step_folder.Found


def open_manager(folder: str, keep: int) -> ocp.CheckpointManager:
  """Opens a folder of checkpoints, which is made if it is missing.

  Every process of a run calls this, and `save`, `wait`, `restore_newest` and
  `close` too; they have to see the same file system.

  Args:
    folder: path, relative to the working directory, absolute, or in a bucket
      (gs://, which needs the package gcsfs).
    keep: how many checkpoints to keep, the newest.

  Returns:
    What the other functions of this module take as `manager`; `with` closes it.

  Raises:
    CheckpointError: the folder cannot be made or read.
  """
  origin.versions()  # Of the code as it is now, not at the first checkpoint.
  storage.be_brief()
  with storage.explained(folder):
    return storage.Manager(storage.absolute(folder), keep, parallel.host())


def save(
  manager: ocp.CheckpointManager,
  step: int,
  tree: chex.ArrayTree,
  config_json: str,
  pending: Mapping[str, Any] | None = None,
) -> None:
  """Copies a state in memory and writes it in the background.

  Orbax passes over a step that is not after the newest, so none is written
  twice. An error of an earlier write is raised by the next call of `save`,
  `wait` or `close`, on host 0.

  Args:
    manager: from `open_manager`.
    step: number of updates behind the state.
    tree: NumPy arrays, one replica.
    config_json: the config that made them.
    pending: what the run has begun and not finished, as JSON can say it; comes
      back as `Found.pending`.

  Raises:
    CheckpointError: this checkpoint or the one before could not be written.
  """
  if parallel.host():
    return
  described = manifest.make(tree, config_json, origin.versions(), pending)
  items = ocp.args.Composite(
    state=ocp.args.StandardSave(tree), config=ocp.args.JsonSave(described)
  )
  with storage.explained(manager.directory):
    manager.save(step, args=items)


def wait(manager: ocp.CheckpointManager) -> None:
  """Waits until what was saved is whole; every host must call this.

  Args:
    manager: from `open_manager`.

  Raises:
    CheckpointError: it could not be written.
  """
  error = None
  try:
    manager.wait_until_finished()
  except CheckpointError as caught:
    error = caught
  if parallel.everywhere(error is not None).any():
    raise error or CheckpointError(
      f"Host 0 could not write a checkpoint in {manager.directory}."
    )


def restore_newest(
  manager: ocp.CheckpointManager, like: chex.ArrayTree, config_json: str
) -> Found | None:
  """Reads the newest checkpoint that every host can read.

  What is damaged is named, passed over, and renamed once an earlier one was
  read, so that its step can be saved again. Every host must call this.

  Args:
    manager: from `open_manager`.
    like: a tree of the same structure, for example from `jax.eval_shape`.
    config_json: the present config.

  Returns:
    What was found, None in a folder without checkpoints.

  Raises:
    CheckpointError: the hosts see different folders; no checkpoint can be
      read; or the newest that can belongs to another network.
  """
  reasons = {}
  for step in reversed(_common_steps(manager)):
    try:
      folder = manager.directory / str(step)
      found, error = step_folder.find(folder, like, config_json), None
    except (step_folder.DamagedError, CheckpointError) as caught:
      found, error = None, caught
    if _all_agree_on(error):
      _set_aside(manager, reasons)
      return found
    reasons[step] = str(error or "another host cannot read it")
    _warn(manager.directory, step, reasons[step])
  if reasons:
    raise CheckpointError(
      f"{_nothing_left(manager.directory, reasons)}: mend the storage, or begin"
      " anew with another --workdir."
    )
  return None


def load_params(path: str) -> tuple[dict[str, Any], dict[str, Any]]:
  """Reads the newest state of another run that can be read.

  What is damaged is named and passed over, and stays as it is.

  Args:
    path: a workdir, its folder of checkpoints, or one step in that folder.

  Returns:
    The state as nested dicts of NumPy arrays (tuples became lists, named
    tuples dicts) and the config that made it.

  Raises:
    CheckpointError: there is no whole checkpoint at this path, or the step that
      it names is damaged.
  """
  folder, named = _find(path)
  # By their names alone: a step that is under way, or was set aside, has none.
  steps = sorted(int(x.name) for x in folder.iterdir() if x.name.isdigit())
  if named is not None:
    steps = [named] if named in steps else []
  if not steps:
    raise CheckpointError(f"There is no finished checkpoint in {path}.")
  reasons = {}
  for step in reversed(steps):
    try:
      tree, described = step_folder.read(folder / str(step))
    except step_folder.DamagedError as error:
      reasons[step] = str(error)
      if named is None:
        _warn(folder, step, reasons[step])
    else:
      return tree, described["config"]
  raise CheckpointError(f"{_nothing_left(path, reasons)}.")


def _warn(folder: epath.Path, step: int, reason: str) -> None:
  """Names a checkpoint that is passed over."""
  if parallel.host() == 0:
    logging.warning(
      "Checkpoint %s in %s is damaged (%s): passing over it.",
      *(step, folder, reason),
    )


def _find(path: str) -> tuple[epath.Path, int | None]:
  """The folder of checkpoints, and the step if the path names one."""
  inner = epath.Path(path) / FOLDER
  folder = storage.absolute(inner if inner.is_dir() else path)
  if not folder.is_dir():
    raise CheckpointError(f"{path} is not a folder with checkpoints.")
  if folder.name.isdigit() and folder.parent.name == FOLDER:
    return folder.parent, int(folder.name)
  return folder, None


def _common_steps(manager: ocp.CheckpointManager) -> list[int]:
  """The steps in a folder, which all hosts must see alike."""
  steps = sorted(manager.all_steps())
  newest = parallel.everywhere(steps[-1] if steps else -1).tolist()
  # One number for each host's list, of 31 bits.
  lists = parallel.everywhere(zlib.crc32(str(steps).encode()) >> 1)
  if len(set(lists.tolist())) > 1:
    raise CheckpointError(
      f"The hosts see different checkpoints in {manager.directory} (steps"
      f" {newest}, -1 for none): --workdir must be one that all share."
    )
  return steps


def _all_agree_on(error: Exception | None) -> bool:
  """Whether every host read a step; raises where one of them refuses it."""
  refused = isinstance(error, CheckpointError)
  verdict = parallel.everywhere(2 if refused else int(error is not None)).max()
  if refused:
    raise error
  if verdict == 2:
    raise CheckpointError("Another host refuses the checkpoint.")
  return verdict == 0


def _set_aside(manager: ocp.CheckpointManager, steps: Iterable[int]) -> None:
  """Renames damaged steps: Orbax saves only what is after its newest."""
  if not steps:
    return
  error = None
  if parallel.host() == 0:
    try:
      for step in steps:
        step_folder.set_aside(manager.directory / str(step))
    except OSError as caught:
      error = caught
  # All wait for the new names.
  if parallel.everywhere(error is not None).any():
    raise CheckpointError(
      f"A damaged checkpoint in {manager.directory} cannot be renamed: {error}."
    ) from error
  manager.reload()


def _nothing_left(folder: epath.PathLike, reasons: Mapping[int, str]) -> str:
  """Steps without one that can be read: no new run, that would hide them."""
  newest = max(reasons)
  return (
    f"No checkpoint in {folder} can be read (steps {sorted(reasons)};"
    f" {newest}: {reasons[newest]})"
  )
