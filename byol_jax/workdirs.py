"""A run's folder: writable, with room for checkpoints, and of one run alone."""

import contextlib
import fcntl
import logging
import os
import pathlib
import shutil
from collections.abc import Iterator

from etils import epath

from byol_jax import checkpoint, parallel

_LOCK, _PROBE = ".lock", ".probe"
_MIB, _GIB = 2**20, 2**30


class WorkdirError(ValueError):
  """A folder that a run cannot use, said in one sentence."""


@contextlib.contextmanager
def open_workdir(path: str, num_bytes: int, keep: int = 1) -> Iterator[None]:
  """Holds a folder for this run: what can fail late fails here, early.

  Every host calls this, and host 0 does it. The lock is the kernel's: it ends
  with the process, however that ends. In a bucket (gs://) there are neither
  locks nor limits.

  Args:
    path: of the folder, which is made if it is missing.
    num_bytes: of one checkpoint, 0 for a run without any.
    keep: checkpoints that will lie there together.

  Yields:
    Nothing; the folder is held until the context ends.

  Raises:
    WorkdirError: it cannot be made or written to, has no room for a checkpoint,
      or another process holds it.
  """
  with contextlib.ExitStack() as stack:
    error = None
    if parallel.host() == 0:
      try:
        _open(path, num_bytes, keep, stack)
      except WorkdirError as caught:
        error = caught
    if parallel.everywhere(error is not None).any():
      raise error or WorkdirError(f"Host 0 cannot use {path}.")
    yield


def of_evaluation(encoder: str, name: str) -> str:
  """Folder of an evaluation: below the encoder's run, or below `runs/eval`.

  Args:
    encoder: as the config names it: "random", "pixels", or a run's workdir, its
      folder of checkpoints, or one of these.
    name: of the config.
  """
  if encoder in ("random", "pixels"):
    return os.path.join("runs", "eval", f"{name}_{encoder}")
  path = encoder.rstrip("/")
  head, tail = os.path.split(path)
  if tail.isdigit() and os.path.basename(head) == checkpoint.FOLDER:
    path, tail = head, checkpoint.FOLDER
  run = os.path.dirname(path) if tail == checkpoint.FOLDER else path
  return os.path.join(run, "eval", name)


def _open(
  path: str, num_bytes: int, keep: int, stack: contextlib.ExitStack
) -> None:
  """Makes, locks and tries a folder; the stack releases it."""
  with _explained(path):
    epath.Path(path).mkdir(parents=True, exist_ok=True)
  if "://" not in path:
    with _explained(path):
      lock = os.open(os.path.join(path, _LOCK), os.O_RDWR | os.O_CREAT, 0o644)
    stack.callback(os.close, lock)
    _hold(lock, path)
    _check_room(path, num_bytes, keep)
  with _explained(path):
    _probe(path)


def _hold(file: int, path: str) -> None:
  """Takes the lock of an open file, which is released when it is closed."""
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError as error:
    raise WorkdirError(
      f"Another run is writing to {path}: wait until it has ended, or choose"
      " another --workdir."
    ) from error
  except OSError as error:
    # Some network file systems know no locks; a run there is not worse off.
    logging.warning(
      "%s cannot be locked (%s): start no second run there.",
      *(path, error.strerror),
    )


def _probe(path: str) -> None:
  """Writes a file and removes it."""
  probe = epath.Path(path) / _PROBE
  probe.write_text("This file may be removed.\n")
  probe.unlink()


def _check_room(path: str, num_bytes: int, keep: int) -> None:
  """Refuses a folder without room for a checkpoint, warns of one for few."""
  free = shutil.disk_usage(path).free
  said = (
    f"{path} has {_text(free)} of free space, and one checkpoint takes up to"
    f" {_text(num_bytes)}"
  )
  if free < num_bytes:
    raise WorkdirError(f"{said}: free some, or choose another --workdir.")
  # One more than is kept: the oldest goes once the newest is written.
  lacking = keep + 1 - _num_checkpoints(path)
  if free < lacking * num_bytes:
    logging.warning("%s; %d more may come to lie there.", said, lacking)


def _text(num_bytes: int) -> str:
  if num_bytes < _GIB:
    return f"{num_bytes / _MIB:.2f} MiB"
  return f"{num_bytes / _GIB:.2f} GiB"


def _num_checkpoints(path: str) -> int:
  """Steps that have their room already."""
  folder = pathlib.Path(path, checkpoint.FOLDER)
  return (
    sum(x.name.isdigit() for x in folder.iterdir()) if folder.exists() else 0
  )


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
  """Says which folder it was that the operating system refused."""
  try:
    yield
  except (FileExistsError, NotADirectoryError) as error:
    raise WorkdirError(
      f"{path} cannot be made: there is a file, or a part of its path is one;"
      " choose another --workdir."
    ) from error
  except OSError as error:
    reason = error.strerror or str(error)
    raise WorkdirError(f"{path} cannot be written to: {reason}.") from error
