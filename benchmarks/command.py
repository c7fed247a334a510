"""Command lines of the benchmarks; a wrong one ends in one sentence."""

import argparse
import contextlib
import math
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import NoReturn

from byol_jax import exits

# The smallest picture that a config allows.
SMALLEST_PX = 8


class Parser(argparse.ArgumentParser):
  """Ends the program with one line where an argument is wrong."""

  def __init__(self, description: str):
    super().__init__(
      description=description,
      formatter_class=argparse.RawDescriptionHelpFormatter,
      allow_abbrev=False,
    )

  def error(self, message: str) -> NoReturn:
    """As its parent's, without repeating how the program is used."""
    exits.refuse(f"{message[:1].upper()}{message[1:]}.")


def parser(description: str) -> Parser:
  """For a benchmark, with `--out`, which all of them have."""
  made = Parser(description)
  made.add_argument(
    "--out", type=new_file, default="", help="JSON file to write."
  )
  return made


@contextlib.contextmanager
def refusing() -> Iterator[None]:
  """Ends the program where its block finds settings that do not fit.

  Yields:
    Nothing.

  Raises:
    SystemExit: with code 2, in place of a ValueError or OSError.
  """
  try:
    yield
  except (ValueError, OSError) as error:
    exits.refuse(str(error))


def count(low: int = 1, high: int | None = None) -> Callable[[str], int]:
  """The type of a whole number from `low` to `high`."""

  def parse(text: str) -> int:
    number = int(text) if text.removeprefix("-").isdecimal() else low - 1
    if number < low or (high is not None and number > high):
      reach = f"from {low} up" if high is None else f"in [{low}, {high}]"
      raise argparse.ArgumentTypeError(f"{text!r} is no whole number {reach}")
    return number

  return parse


def positive(text: str) -> float:
  """The type of a finite number above 0.

  Raises:
    ArgumentTypeError: it is none.
  """
  with contextlib.suppress(ValueError):
    if 0.0 < float(text) < math.inf:
      return float(text)
  raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")


def new_file(path: str) -> str:
  """The type of a file that can be written, or "" for none.

  Raises:
    ArgumentTypeError: it cannot.
  """
  if os.path.isdir(path):
    raise argparse.ArgumentTypeError(f"{path!r} is a folder")
  if path:
    _try(pathlib.Path(f"{path}.tmp"), path)
  return path


def new_folder(path: str) -> str:
  """The type of a folder that can be written to, which is made, or "".

  Raises:
    ArgumentTypeError: it cannot.
  """
  if path:
    _try(pathlib.Path(path) / "trial.tmp", path)
  return path


def _try(draft: pathlib.Path, path: str) -> None:
  """Refuses a path beside or in which no file can be written."""
  try:
    if draft.parent == pathlib.Path(path):
      draft.parent.mkdir(parents=True, exist_ok=True)
    draft.touch()
    draft.unlink()
  except OSError as error:
    raise argparse.ArgumentTypeError(
      f"{path!r} cannot be written ({error.strerror})"
    ) from error
