"""Settings that say where the pictures of a run lie."""

import pathlib
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
    found[f"data.{part}_path"] = _path(data, part)
    found[f"data.{part}_prefix"] = _prefix(found[f"data.{part}_path"], part)
  # TFDS's splits mean nothing there; evaluations refuse some of them.
  return found if not is_evaluation else {**found, "data.tfds_name": ""}


def _path(data: str, part: str) -> str:
  """The folder or archive of one part."""
  names = (part, f"{part}.tar", f"{part}.tar.gz")
  for path in (pathlib.Path(data) / name for name in names):
    if path.exists():
      return str(path)
  raise ValueError(f"--data={data} holds none of {', '.join(names)}.")


def _prefix(path: str, part: str) -> str:
  """Members of an archive begin with the name of the part."""
  return "" if pathlib.Path(path).is_dir() else part
