"""The file that a conversion writes."""

import pathlib


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
  draft = pathlib.Path(f"{path}.tmp")  # As `intact.write_whole` has it.
  try:
    draft.touch()
    draft.unlink()
  except OSError as error:
    raise OSError(
      f"{path} cannot be written: {error.strerror or error}."
    ) from error
