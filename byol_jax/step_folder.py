"""One step's folder: read by this host alone, or set aside."""

import itertools
import os
import re
from typing import Any

import orbax.checkpoint as ocp
import tensorstore
from etils import epath

from byol_jax import manifest

# Characters of a library's reason.
_MAX_REASON = 160
# All that Orbax and TensorStore were seen to raise where bytes of a checkpoint
# were changed, cut off or missing; JSON and UTF-8 errors are ValueErrors.
_UNREADABLE = (OSError, ValueError, KeyError, AttributeError, TypeError)


class DamagedError(Exception):
  """A checkpoint that cannot be read; the message is the reason."""


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


def reason(error: Exception) -> str:
  """What went wrong, without a library's account of itself.

  Args:
    error: of Orbax or TensorStore.

  Returns:
    The operating system's words where there are any, else the beginning of the
    message.
  """
  if isinstance(error, OSError) and error.strerror:
    return error.strerror
  # TensorStore's way of saying it.
  found = re.search(r"os_error_code='(\d+)'", str(error))
  if found:
    return os.strerror(int(found[1]))
  line = str(error).strip().partition("\n")[0]
  return re.sub(r" \[.*|Error opening .* driver: ", "", line)[:_MAX_REASON]


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
    f"{part} cannot be read: {type(error).__name__}: {reason(error)}"
  )
