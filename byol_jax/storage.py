"""What Orbax says when storage fails, in one sentence."""

import contextlib
import logging
import os
import re
from collections.abc import Iterator

import orbax.checkpoint as ocp
from etils import epath

# Characters of a library's reason.
_MAX_REASON = 160


class CheckpointError(ValueError):
  """A checkpoint that does not fit, said in one sentence."""


class Manager(ocp.CheckpointManager):
  """Says in one sentence what went wrong in the background."""

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


def has_no_traceback(record: logging.LogRecord) -> bool:
  """A filter for a logger whose errors are raised to us as well."""
  return not record.exc_info


def absolute(path: epath.PathLike) -> epath.Path:
  """A path as Orbax wants it; those of a bucket are absolute as they are."""
  inside = "://" in str(path)
  return epath.Path(path if inside else os.path.abspath(path))
