"""The file that a conversion writes."""

import os

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
  if os.path.isdir(path):
    raise ValueError(f"{path} is a folder.")
  try:
    intact.try_out(path)
  except OSError as error:
    raise OSError(
      f"{path} cannot be written: {error.strerror or error}."
    ) from error
