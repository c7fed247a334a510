"""One step's folder: read by this host alone, compared, or set aside."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import chex
import jax
import numpy as np
import orbax.checkpoint as ocp
import tensorstore
from etils import epath

from byol_jax import manifest, storage

# Differences that one message names; more help nobody.
_MAX_NAMED = 5
# All that Orbax and TensorStore were seen to raise where bytes of a checkpoint
# were changed, cut off or missing; JSON and UTF-8 errors are ValueErrors.
_UNREADABLE = (
  OSError,
  ValueError,
  LookupError,
  AttributeError,
  TypeError,
  AssertionError,
)


class DamagedError(Exception):
  """A checkpoint that cannot be read; the message is the reason."""


class Found(NamedTuple):
  """A checkpoint that was read.

  Attributes:
    step: number of updates behind the state.
    state: as it was saved, of NumPy arrays.
    pending: what was saved with it, None where nothing was.
    changes: "key old -> new" for each setting that differs by now.
  """

  step: int
  state: Any
  pending: Any
  changes: list[str]


def read(folder: epath.Path) -> tuple[dict[str, Any], dict[str, Any]]:
  """Reads a step.

  A manager's `restore` waits for the other hosts, for ever where one of them
  fails; this does not.

  Args:
    folder: of the step, absolute.

  Returns:
    The state as nested dicts of NumPy arrays (tuples became lists, named
    tuples dicts) and its manifest, both whole.

  Raises:
    DamagedError: they are not.
  """
  described = _attempt(
    ocp.JsonCheckpointHandler(), folder / "config", ocp.args.JsonRestore()
  )
  _probe(folder / "state")
  tree = _attempt(
    ocp.StandardCheckpointHandler(),
    folder / "state",
    ocp.args.StandardRestore(),
  )
  if not isinstance(described, dict) or "config" not in described:
    raise DamagedError("config/metadata holds no config")
  flaw = manifest.flaw(described, tree)
  if flaw:
    raise DamagedError(flaw)
  return tree, described


def find(folder: epath.Path, like: chex.ArrayTree, config_json: str) -> Found:
  """Reads a step that belongs to the present run.

  Args:
    folder: of the step, absolute.
    like: a tree of the same structure.
    config_json: the present config.

  Returns:
    What was found.

  Raises:
    DamagedError: it cannot be read.
    CheckpointError: it belongs to another network or objective.
  """
  tree, described = read(folder)
  place = f"Checkpoint {folder.name} in {folder.parent}"
  conflicts = manifest.conflicts(described, config_json)
  if conflicts:
    raise storage.CheckpointError(
      f"{place} belongs to another run: {_first(conflicts)}; go on with those"
      " settings, or begin with another --workdir."
    )
  return Found(
    step=int(folder.name),
    state=_fitted(tree, like, place),
    pending=described.get("pending"),
    changes=manifest.changes(described, config_json),
  )


def set_aside(folder: epath.Path) -> None:
  """Renames a step to what is none, and is free; nothing is ever deleted.

  Args:
    folder: of the step.

  Raises:
    OSError: it cannot be renamed.
  """
  names = itertools.chain([""], (f".{x}" for x in itertools.count(2)))
  places = (folder.parent / f"{folder.name}.damaged{x}" for x in names)
  place = next(place for place in places if not place.exists())
  folder.rename(place)


def _probe(folder: epath.Path) -> None:
  """Reads each array of a state, one after the other.

  Orbax reads them side by side: where one fails, the others find its event loop
  closed, and each prints a traceback.
  """
  if "://" in str(folder):
    return  # Twice over a network is too slow.
  base = {"driver": "file", "path": f"{folder}/"}
  store = {"driver": "ocdbt", "base": base}
  try:
    for key in tensorstore.KvStore.open(store).result().list().result():
      name, _, file = key.decode().rpartition("/")
      if file == ".zarray":
        spec = {"driver": "zarr", "kvstore": {**store, "path": f"{name}/"}}
        tensorstore.open(spec).result().read().result()
  except _UNREADABLE as error:
    raise _damaged(folder.name, error) from error


def _attempt(
  handler: ocp.CheckpointHandler,
  folder: epath.Path,
  args: ocp.args.CheckpointArgs,
) -> Any:
  """Reads one part of a step, whatever its bytes are."""
  try:
    return handler.restore(folder, args=args)
  except _UNREADABLE as error:
    raise _damaged(folder.name, error) from error
  finally:
    handler.close()


def _damaged(part: str, error: Exception) -> DamagedError:
  return DamagedError(
    f"{part} cannot be read: {type(error).__name__}: {storage.reason(error)}"
  )


def _fitted(saved: Any, like: chex.ArrayTree, place: str) -> chex.ArrayTree:
  """The saved leaves in the structure of `like`."""
  found = manifest.differences(saved, like)
  if found:
    raise storage.CheckpointError(
      f"{place} belongs to another network or optimizer: {_first(found)}."
    )
  # By path: Orbax refuses an empty part that older programs did not have.
  leaves = manifest.by_path(saved)
  return jax.tree.unflatten(
    jax.tree.structure(like),
    [np.asarray(leaves[path]) for path in manifest.by_path(like)],
  )


def _first(differences: Sequence[str]) -> str:
  """As many as one sentence bears."""
  more = len(differences) - _MAX_NAMED
  rest = f"; and {more} more differences" if more > 0 else ""
  return "; ".join(differences[:_MAX_NAMED]) + rest
