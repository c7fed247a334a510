"""Whether what a setting names is there, on a disk or in a bucket."""

import os

from etils import epath

_BUCKET = "gs://"


def check(key: str, path: str) -> None:
  """Refuses a path where nothing is.

  Args:
    key: the setting that names it.
    path: local, or in a bucket (gs://).

  Raises:
    ValueError: nothing is there, or it cannot be reached.
  """
  if not path.startswith(_BUCKET):
    check_local(key, path)
  elif not _is_in_bucket(key, path):
    raise ValueError(f"{key}={path} does not exist.")


def check_local(key: str, path: str) -> None:
  """Refuses a path where nothing is on this machine's disks.

  Args:
    key: the setting that names it.
    path: as the operating system has it; "~" is a name like any other.

  Raises:
    ValueError: as `check`.
  """
  scheme, separator, _ = path.partition("://")
  if separator and not os.path.exists(path):
    raise ValueError(
      f"{key}={path} cannot be read: name a local path, not one of {scheme}://."
    )
  # Names that no file can have, too long or with a null, are not there either.
  if not os.path.exists(path):
    raise ValueError(f"{key}={path} does not exist.")


def _is_in_bucket(key: str, path: str) -> bool:
  # TensorFlow takes seconds to import: only those who need it wait.
  import tensorflow as tf

  try:
    return epath.Path(path).exists()
  except (tf.errors.OpError, OSError, ImportError) as error:
    raise ValueError(f"{key}={path} cannot be reached: {error}.") from error
