"""The file that a conversion writes: whole, or not at all."""

import pathlib

from byol_jax import intact


def check(path: str, ending: str) -> None:
  """Finds out beforehand whether a file can be written.

  Args:
    path: of the file; one that is there will be replaced.
    ending: that it must have, for example ".safetensors".

  Raises:
    ValueError: it has another ending, or is a folder.
    OSError: its folder is missing or may not be written.
  """
  if not path.endswith(ending):
    raise ValueError(f"{path} has to end in {ending}.")
  if pathlib.Path(path).is_dir():
    raise ValueError(f"{path} is a folder.")
  draft = _draft(path)
  try:
    draft.touch()
    draft.unlink()
  except OSError as error:
    raise OSError(f"{path} cannot be written: {error.strerror}.") from error


def write(content: bytes, path: str) -> None:
  """Writes a file, which until it is whole is called `path` and ".tmp".

  Args:
    content: of the file.
    path: of the file; one of that name is replaced.

  Raises:
    OSError: it cannot be written; what was there stays.
  """
  draft = _draft(path)
  with intact.writing(path):
    try:
      draft.write_bytes(content)
      draft.replace(path)
    finally:
      draft.unlink(missing_ok=True)


def _draft(path: str) -> pathlib.Path:
  return pathlib.Path(f"{path}.tmp")
