"""Settings that say where the pictures of a run lie."""

import functools
import pathlib
import tarfile
from typing import Any

import ml_collections

from . import scales


def settings(
  scale: scales.Scale, data: str, config: ml_collections.ConfigDict
) -> dict[str, Any]:
  """Settings that say where the pictures lie; no run is another for them.

  Args:
    scale: of the experiment.
    data: the value of `--data`; "" is where TFDS keeps its data.
    config: of a pretraining or an evaluation. One of a set of Table 3 stays
      with that set, which is not in the folder.

  Raises:
    ValueError: the folder lacks train or test.
  """
  if not data:
    return {}
  if not scale.folder:
    return {"data.data_dir": data}
  if config.data.source == "set":
    return {}
  is_evaluation = "protocol" in config
  found: dict[str, Any] = {"data.source": "folder", "data.views": "memory"}
  for part in scales.PARTS if is_evaluation else scale.seen:
    found |= _named(part, *_part("data", data, part))
  # TFDS's splits mean nothing there; evaluations refuse some of them.
  return found if not is_evaluation else {**found, "data.tfds_name": ""}


def photographs(
  pictures: str, config: ml_collections.ConfigDict
) -> dict[str, Any]:
  """Settings of a run whose config takes a folder of one's own.

  Args:
    pictures: the value of `--pictures`: as `--data`, or one archive of both
      parts.
    config: of a pretraining, which sees train alone, or of an evaluation.

  Raises:
    ValueError: it is not given, or lacks train or test.
  """
  if not pictures:
    raise ValueError(
      "--pictures is not given: name a folder with train and test, each one"
      " folder a class, or an archive of both."
    )
  found: dict[str, Any] = {}
  for part in scales.PARTS if "protocol" in config else ("train",):
    found |= _named(part, *_part("pictures", pictures, part))
  return found


def _named(part: str, path: str, prefix: str) -> dict[str, str]:
  return {f"data.{part}_path": path, f"data.{part}_prefix": prefix}


def _part(flag: str, folder: str, part: str) -> tuple[str, str]:
  """The folder or archive of one part, and how its members begin."""
  if pathlib.Path(folder).is_file():
    return folder, _within(flag, folder, part)
  names = (part, f"{part}.tar", f"{part}.tar.gz")
  for path in (pathlib.Path(folder) / name for name in names):
    if path.exists():
      return str(path), "" if path.is_dir() else part
  raise ValueError(f"--{flag}={folder} holds none of {', '.join(names)}.")


@functools.cache
def _within(flag: str, archive: str, part: str) -> str:
  """The first folder of an archive with the name of a part."""
  try:
    with tarfile.open(archive) as opened:
      for member in opened:
        folders = pathlib.PurePosixPath(member.name).parts[:-1]
        if part in folders:
          return "/".join(folders[: folders.index(part) + 1])
  except tarfile.ReadError as error:
    raise ValueError(f"--{flag}={archive} is no archive: {error}.") from error
  raise ValueError(f"--{flag}={archive} has no folder {part}.")
