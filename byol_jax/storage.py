"""What Orbax says when storage fails, in one sentence."""

import contextlib
import functools
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import orbax.checkpoint as ocp
from etils import epath

# Characters of a library's reason.
_MAX_REASON = 160
# What asyncio says where a loop is called that is closed.
_LATE = "Event loop is closed"


class CheckpointError(ValueError):
  """A checkpoint that does not fit, said in one sentence."""


class Manager(ocp.CheckpointManager):
  """Waits for no other host, and says in one sentence what went wrong.

  Where a write fails, Orbax's hosts would wait for each other for ten minutes,
  each at another place.
  """

  def __init__(self, folder: epath.Path, keep: int, host: int):
    """Opens a folder, which is made if it is missing.

    Args:
      folder: absolute path.
      keep: how many checkpoints to keep, the newest.
      host: this one's number; 0 alone may save, and removes what a killed
        process has begun.

    Raises:
      OSError: it cannot be made or read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = ocp.CheckpointManagerOptions(
      max_to_keep=keep,
      create=False,  # Orbax could do that with all hosts only.
      cleanup_tmp_directories=host == 0,
      # In the background, a folder that cannot be made would leave threads
      # that wait for it, and the program could not end.
      async_options=ocp.AsyncOptions(create_directories_asynchronously=False),
      multiprocessing_options=ocp.options.MultiprocessingOptions(
        primary_host=host,
        active_processes={host},
        barrier_sync_key_prefix=f"host_{host}",
      ),
    )
    super().__init__(folder, options=options)

  def reached_preemption(self, step: int) -> bool:
    """Never: `stopping` alone may ask JAX, whose hosts agree on a number.

    Two countings of one agreement would pass by each other.
    """
    del step
    return False

  def wait_until_finished(self) -> None:
    """As its parent's, which saving and closing call too."""
    with explained(self.directory):
      super().wait_until_finished()

  def close(self) -> None:
    """As its parent's; what has failed may come up once more."""
    with explained(self.directory):
      super().close()


@contextlib.contextmanager
def explained(folder: epath.PathLike) -> Iterator[None]:
  """Says which folder it was that the storage refused.

  Orbax raises OSErrors as they are, and TensorStore's as ValueErrors.

  Args:
    folder: of the checkpoints.

  Yields:
    Nothing.

  Raises:
    CheckpointError: in place of these.
  """
  try:
    yield
  except CheckpointError:
    raise
  except (OSError, ValueError) as error:
    raise CheckpointError(
      f"A checkpoint in {folder} cannot be written:"
      f" {reason(error)}; those before it are untouched, and the"
      " same command goes on from there."
    ) from error


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


@functools.cache
def be_brief() -> None:
  """Leaves out what libraries print of errors that are raised to us as well."""
  logging.getLogger("absl").addFilter(lambda record: not record.exc_info)
  sys.unraisablehook = functools.partial(_unless_late, sys.unraisablehook)


def _unless_late(hook: Callable[[Any], object], unraisable: Any) -> None:
  """Passes on an error that nobody can catch, but for TensorStore's.

  Once a write has failed, Orbax closes its event loop, and TensorStore has
  something to tell it of each other array.
  """
  error = unraisable.exc_value
  late = isinstance(error, RuntimeError) and str(error) == _LATE
  if not late:
    hook(unraisable)


def absolute(path: epath.PathLike) -> epath.Path:
  """A path as Orbax wants it; those of a bucket are absolute as they are."""
  inside = "://" in str(path)
  return epath.Path(path if inside else os.path.abspath(path))
