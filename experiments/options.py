"""The flags of a table's command."""

import argparse
import os
import tempfile
from collections.abc import Sequence
from typing import NoReturn

from byol_jax import rules

from . import scales

# No machine runs so many at a time.
_MAX_JOBS = 1000
_FOLDERS = {
  "results": ("experiments", "results"),
  "runs": ("runs", "experiments"),
}


class _Parser(argparse.ArgumentParser):
  """Says what is wrong without repeating how it is used."""

  def error(self, message: str) -> NoReturn:
    raise ValueError(message)


def parse(argv: Sequence[str]) -> argparse.Namespace:
  """What the flags say.

  Args:
    argv: flags.

  Raises:
    ValueError: one of them is wrong.
  """
  parser = _Parser(prog="python -m experiments.TABLE", allow_abbrev=False)
  add = parser.add_argument
  add("--scale", choices=list(scales.SCALES), required=True)
  add("--print", action="store_true", help="the commands, and run nothing")
  add("--jobs", type=_count, default=1, help="runs at a time")
  add("--seeds", type=_seeds, default=(), help="such as 0,1,2")
  add(
    "--rows",
    action="append",
    default=[],
    help="only rows whose name this is or has in it; may be repeated",
  )
  add("--data", default="", help="folder with train and test")
  add("--pictures", default="", help="Table 4: photographs to train on")
  add("--dense", default="", help="Table 4: folder of its data sets")
  for name, parts in _FOLDERS.items():
    add(f"--{name}", type=_folder, default=os.path.join(*parts))
  return parser.parse_args(argv)


def _count(text: str) -> int:
  if not text.isdecimal() or not 1 <= int(text) <= _MAX_JOBS:
    raise argparse.ArgumentTypeError(f"{text!r} is not 1 to {_MAX_JOBS}")
  return int(text)


def _folder(text: str) -> str:
  if not text:
    raise argparse.ArgumentTypeError("it is empty")
  return text


def _seeds(text: str) -> tuple[int, ...]:
  parts = text.split(",")
  known = all(part.isdecimal() for part in parts)
  if not known or max(map(int, parts)) > rules.LARGEST[int]:
    raise argparse.ArgumentTypeError(f"{text!r} is not numbers such as 0,1,2")
  return tuple(dict.fromkeys(map(int, parts)))


def check_writable(flags: argparse.Namespace) -> None:
  """Refuses folders of which one would learn only after the first run.

  Args:
    flags: from `parse`.

  Raises:
    ValueError: results or runs cannot be written.
  """
  for name in _FOLDERS:
    folder = os.path.join(getattr(flags, name), flags.scale)
    try:
      os.makedirs(folder, exist_ok=True)
      with tempfile.TemporaryFile(dir=folder):
        pass
    except OSError as error:
      raise ValueError(
        f"--{name}={getattr(flags, name)} cannot be written to:"
        f" {error.strerror}."
      ) from error
