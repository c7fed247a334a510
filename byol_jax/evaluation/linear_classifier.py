"""The linear classifier that an evaluation chose, as a small file."""

import io
import os
import zipfile
import zlib
from typing import NamedTuple

import numpy as np
from etils import epath

from byol_jax import intact, parallel

FILE = "classifier.npz"
# What NumPy and zipfile raise of broken and of other files.
_DAMAGE = (
  EOFError,
  KeyError,
  NotImplementedError,
  OSError,
  TypeError,
  ValueError,
  zipfile.BadZipFile,
  zlib.error,
)


class LinearClassifier(NamedTuple):
  """Features to logits: `features @ w + b`.

  Attributes:
    w: [dim, classes] float32.
    b: [classes] float32.
    class_names: one a class.
    encoder: `encoders.fingerprint` of what made the features; empty for pixels.
  """

  w: np.ndarray
  b: np.ndarray
  class_names: tuple[str, ...]
  encoder: str


def write(found: LinearClassifier, folder: str) -> None:
  """Writes `classifier.npz` whole, from host 0.

  Args:
    found: the classifier.
    folder: made if it is missing.

  Raises:
    OSError: it cannot be written.
  """
  if parallel.host():
    return
  content = io.BytesIO()
  np.savez(content, **found._asdict())  # Without objects, so no pickle.
  place = epath.Path(folder)
  place.mkdir(parents=True, exist_ok=True)
  intact.write_whole(content.getvalue(), place / FILE)


def read(workdir: str) -> LinearClassifier:
  """The classifier of the newest result in an evaluation's workdir.

  Args:
    workdir: of `configs/eval/{logistic,linear,finetune,supervised}.py`; of a
      logistic regression on several sets, the folder of one.

  Raises:
    ValueError: there is none, or it is damaged.
  """
  result = intact.read(epath.Path(workdir) / "results.json")
  place = result.get("classifier") if isinstance(result, dict) else None
  if not isinstance(place, str):
    raise ValueError(
      f"{workdir} holds no classifier: it has to be the workdir of a logistic"
      " regression, a linear evaluation or a fine-tuning."
    )
  path = os.path.join(workdir, place)
  try:
    return _checked(epath.Path(path).read_bytes())
  except _DAMAGE as error:
    raise ValueError(f"{path} is missing or damaged ({error}).") from error


def _checked(content: bytes) -> LinearClassifier:
  with np.load(io.BytesIO(content)) as arrays:
    found = {name: arrays[name] for name in LinearClassifier._fields}
  w, b, names = found["w"], found["b"], found["class_names"]
  if {w.dtype, b.dtype} != {np.dtype(np.float32)} or names.ndim != 1:
    raise ValueError("its arrays are of other kinds")
  if w.ndim != 2 or not w.shape[1:] == b.shape == names.shape:
    raise ValueError("its arrays do not fit together")
  return LinearClassifier(
    w, b, tuple(map(str, names)), encoder=str(found["encoder"])
  )
