"""The embedded data set: patches of photographs that come with the install.

scikit-image and scikit-learn ship a few colour photographs inside their wheels.
Small patches are cut out of them; a patch's class is its photograph. The left
three quarters of each photograph's width are for training, the rest is for
testing, and no pixel is in both.

What it shows: that training works from end to end, without a network and within
minutes on a CPU. What it does not show: how good the features are on other
pictures. Ten photographs are no sample of the world, training patches overlap,
test patches come from the same scenes, and photographs differ in colour so much
that a plain colour histogram already tells most of them apart.
"""

import importlib.util
import pathlib

import numpy as np
from PIL import Image

from byol_jax.data import sources

# Package and path of each photograph; of the stereo pair only the left one.
PHOTOGRAPHS = (
  ("skimage", "data/astronaut.png"),
  ("skimage", "data/chelsea.png"),
  ("sklearn", "datasets/images/china.jpg"),
  ("skimage", "data/coffee.png"),
  ("sklearn", "datasets/images/flower.jpg"),
  ("skimage", "data/hubble_deep_field.jpg"),
  ("skimage", "data/ihc.png"),
  ("skimage", "data/motorcycle_left.png"),
  ("skimage", "data/retina.jpg"),
  ("skimage", "data/rocket.jpg"),
)
SPLITS = ("train", "test")


def load(
  split: str, patch_px: int = 32, stride_px: int = 16
) -> sources.ArraySource:
  """Cuts the patches of one split.

  Every class gets as many patches as the smallest photograph has; a larger one
  gives a selection that is spread evenly over it. The result is the same at
  each call.

  Args:
    split: "train" or "test".
    patch_px: side of a patch.
    stride_px: distance between neighbours; patches overlap where it is smaller
      than `patch_px`.

  Returns:
    Patches sorted by class.

  Raises:
    ValueError: if the split is unknown or a photograph is not installed.
  """
  if split not in SPLITS:
    raise ValueError(
      f"photo_patches has no split {split!r}: choose one of {SPLITS}."
    )
  grids = [
    _grid(_part(_read(package, path), split), patch_px, stride_px)
    for package, path in PHOTOGRAPHS
  ]
  per_class = min(len(grid) for grid in grids)
  images = [_spread(grid, per_class) for grid in grids]
  labels = np.repeat(np.arange(len(grids), dtype=np.int32), per_class)
  names = tuple(pathlib.PurePosixPath(path).stem for _, path in PHOTOGRAPHS)
  return sources.ArraySource(np.concatenate(images), labels, names)


def _read(package: str, path: str) -> np.ndarray:
  """One photograph out of an installed package, which is not imported."""
  spec = importlib.util.find_spec(package)
  folders = spec.submodule_search_locations if spec else []
  files = [pathlib.Path(folder, path) for folder in folders]
  found = [file for file in files if file.is_file()]
  if not found:
    raise ValueError(
      f"photo_patches needs {path} of the installed package {package!r}, and it"
      " is not there."
    )
  with Image.open(found[0]) as photograph:
    return np.asarray(photograph.convert("RGB"))


def _part(photograph: np.ndarray, split: str) -> np.ndarray:
  """The left three quarters or the rest."""
  border = photograph.shape[1] * 3 // 4
  if split == "train":
    return photograph[:, :border]
  return photograph[:, border:]


def _grid(photograph: np.ndarray, patch_px: int, stride_px: int) -> np.ndarray:
  """All patches on a regular grid, [n, patch_px, patch_px, 3], row by row."""
  windows = np.lib.stride_tricks.sliding_window_view(
    photograph, (patch_px, patch_px, 3)
  )[::stride_px, ::stride_px, 0]
  return windows.reshape(-1, patch_px, patch_px, 3)


def _spread(patches: np.ndarray, count: int) -> np.ndarray:
  """`count` of the patches at equal distances."""
  return patches[np.arange(count) * len(patches) // count]
