"""Small files that stay whole, and what is whole of those that are not.

A process that was killed, a full disk or a power cut leave the old file, or
half a line at its end. Damage is passed over, never an error: whoever reads
computes again what a file does not hold.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from etils import epath


def write_whole(content: str | bytes, path: epath.PathLike) -> None:
  """Writes a file that is there whole, or not at all.

  Until it is whole it is called `path` and ".tmp".

  Args:
    content: of the file; a text is written as UTF-8.
    path: of the file; one of that name is replaced.

  Raises:
    OSError: it cannot be written, said in one sentence; what was there stays.
  """
  path = epath.Path(path)
  draft = _draft(path)
  data = content.encode() if isinstance(content, str) else content
  with writing(path):
    try:
      if "://" in str(path):
        draft.write_bytes(data)
      else:
        _put(data, draft, "wb")
      draft.replace(path)
    finally:
      draft.unlink(missing_ok=True)


def try_out(path: epath.PathLike) -> None:
  """Finds out beforehand whether `write_whole` can write a file.

  Args:
    path: of the file; one of that name stays.

  Raises:
    OSError: its folder is missing or may not be written.
  """
  draft = _draft(epath.Path(path))
  draft.touch()
  draft.unlink()


def append(text: str, path: epath.Path) -> None:
  """Adds lines to a file, or begins it; one in a bucket is written anew.

  Half a line at its end, of a process that was killed, stays a line by itself.

  Raises:
    OSError: it cannot be written, said in one sentence; earlier lines stay.
  """
  with writing(path):
    if "://" in str(path):
      path.write_text((path.read_text() if path.exists() else "") + text)
    else:
      _put(text.encode(), path, "ab+")


def read(path: epath.PathLike) -> Any:
  """What a JSON file holds, None if it is missing or no JSON.

  Raises:
    OSError: it is there and may not be read.
  """
  path = epath.Path(path)
  return _parsed(path.read_bytes()) if path.exists() else None


def objects(path: epath.PathLike) -> list[dict[str, Any]]:
  """The objects of a file that has one a line; other lines are left out.

  So is a last line without its end: half of one may look like a whole.

  Raises:
    OSError: it is there and may not be read.
  """
  path = epath.Path(path)
  if not path.exists():
    return []
  lines = path.read_bytes().split(b"\n")[:-1]
  return [found for x in lines if isinstance(found := _parsed(x), dict)]


def keep_objects(
  path: epath.PathLike, wanted: Callable[[dict[str, Any]], bool]
) -> list[dict[str, Any]]:
  """Rewrites such a file without broken lines and what is not wanted.

  Args:
    path: of the file; where it is missing, nothing happens.
    wanted: whether an object stays.

  Returns:
    What stays.

  Raises:
    OSError: it cannot be read or written.
  """
  path = epath.Path(path)
  kept = [found for found in objects(path) if wanted(found)]
  text = "".join(json.dumps(found) + "\n" for found in kept)
  if path.exists() and path.read_bytes() != text.encode():
    write_whole(text, path)
  return kept


@contextlib.contextmanager
def writing(path: epath.PathLike) -> Iterator[None]:
  """Says in one sentence what cannot be written, and why.

  Args:
    path: of the file or folder that the block writes.

  Raises:
    OSError: the block raised one.
  """
  try:
    yield
  except OSError as error:
    raise OSError(
      f"{path} cannot be written ({error.strerror or error}); what it had is"
      " kept."
    ) from error


def _draft(path: epath.Path) -> epath.Path:
  return path.parent / f"{path.name}.tmp"


def _put(data: bytes, path: epath.Path, mode: str) -> None:
  """Writes, and waits until they would outlive a power cut."""
  with open(path, mode) as file:
    if mode == "ab+" and file.seek(0, os.SEEK_END):
      file.seek(-1, os.SEEK_END)
      data = data if file.read(1) == b"\n" else b"\n" + data
    file.write(data)
    file.flush()
    os.fsync(file.fileno())


def _parsed(text: bytes) -> Any:
  try:
    return json.loads(text)
  except (ValueError, RecursionError):  # Thousands of brackets give the latter.
    return None
