"""Settings that say where the sets of the dense tasks lie."""

import pathlib
from collections.abc import Mapping

from . import recipes

# What of `--dense` a preset takes, by key of its config. What has nothing comes
# from TFDS.
_VOC = "VOC2012"
_SETS: Mapping[str, Mapping[str, str]] = {
  "segmentation.py:voc2012": {
    "data.train_path": _VOC,
    "data.test_path": _VOC,
    "data.train_list": f"{_VOC}/train_aug.txt",
    "data.test_list": f"{_VOC}/ImageSets/Segmentation/val.txt",
  },
  "segmentation.py:camvid": {
    "data.train_path": "camvid.tar",
    "data.test_path": "camvid.tar",
  },
  "detection.py:voc2007": {},
  "detection.py:coco128": {
    "data.train_path": "coco128.tar",
    "data.test_path": "coco128.tar",
  },
  "depth.py:nyu": {
    "data.train_path": "nyu/train",
    "data.test_path": "nyu/test",
  },
  # The last of the same pictures are its test part.
  "depth.py:nyu_desk": {"data.train_path": "nyu.tar"},
}


def knows(config: str) -> bool:
  """Whether a config is one of a dense task.

  Args:
    config: file of configs/ with its preset.
  """
  return _name(config) in _SETS


def settings(config: str, dense: str, data: str) -> dict[str, str]:
  """Settings that say where a set lies; no run is another for them.

  Args:
    config: file of configs/ with its preset.
    dense: the value of `--dense`, perhaps of another machine.
    data: where TFDS keeps its data; "" for its own choice.

  Raises:
    ValueError: `dense` is empty.
  """
  wanted = _SETS[_name(config)]
  if not wanted:
    return {"data.data_dir": data} if data else {}
  if not dense:
    names = " and ".join(dict.fromkeys(wanted.values()))
    raise ValueError(
      f"--dense is not given: {config} needs a folder that holds {names}."
    )
  return {key: str(pathlib.Path(dense) / x) for key, x in wanted.items()}


def check(config: str, dense: str) -> None:
  """Looks for a set on this machine.

  Args:
    config: file of configs/ with its preset, of whatever task.
    dense: the value of `--dense`.

  Raises:
    ValueError: something of the set is not there.
  """
  for name in _SETS.get(_name(config), {}).values():
    if not (pathlib.Path(dense) / name).exists():
      raise ValueError(f"--dense={dense} has no {name}, which {config} needs.")


def _name(config: str) -> str:
  return config.removeprefix(f"{recipes.EVAL}/")
