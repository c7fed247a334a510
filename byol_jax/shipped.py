"""Where the files are that come with the package: configs and experiments.

A wheel has them inside of the package, a clone beside it.
"""

import pathlib

_PACKAGE = pathlib.Path(__file__).parent
_CONFIGS = "configs"


def root() -> pathlib.Path:
  """The folder that holds configs/ and experiments/."""
  inside = (_PACKAGE / _CONFIGS).is_dir()
  return _PACKAGE if inside else _PACKAGE.parent


def find_config(path: str) -> str:
  """Looks a config file up in the working directory, then in the package.

  Args:
    path: of a file, without a preset; only below configs/ the package has any.

  Returns:
    Of an existing file.

  Raises:
    ValueError: there is none.
  """
  if pathlib.Path(path).is_file():
    return path
  parts = pathlib.PurePath(path).parts
  if parts[:1] != (_CONFIGS,) or len(parts) == 1 or ".." in parts:
    raise ValueError("is not a file.")
  ours = root().joinpath(*parts)
  if ours.is_file():
    return str(ours)
  known = sorted(root().joinpath(_CONFIGS).rglob("[!_]*.py"))
  raise ValueError(
    "is a file neither in the working directory nor in the package, which has"
    f" {', '.join(map(name, map(str, known)))}."
  )


def name(path: str) -> str:
  """A path as `find_config` takes it: that of the package shortened."""
  folder = f"{root()}/"
  return path.removeprefix(folder)
