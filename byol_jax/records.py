"""What a run reports: JSON lines, TensorBoard events and lines of text."""

import contextlib
import functools
import json
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

import tqdm
from etils import epath

from byol_jax import events, intact


class _Lines(logging.Handler):
  """Prints each message once, as a line that leaves a progress bar whole."""

  def __init__(self):
    super().__init__()
    self._said = set()

  def emit(self, record: logging.LogRecord) -> None:
    text = self.format(record)
    if text not in self._said:
      self._said.add(text)
      say(text)


def say(text: str, active: bool = True) -> None:
  """Prints a line beside the progress bar, if there is one."""
  if active:
    with contextlib.suppress(OSError):  # Nobody reads it: no reason to end.
      tqdm.tqdm.write(text, file=sys.stderr)


def log_plainly() -> None:
  """Shows warnings as bare lines, and nothing of what libraries notify."""
  logging.basicConfig(
    level=logging.WARNING,
    format="%(message)s",
    handlers=[_Lines()],
    force=True,
  )


class Recorder:
  """Writes numbers to `metrics.jsonl` and to TensorBoard events.

  What was recorded after the restored step is dropped first, so that a run
  that was killed and started again has each step once. A context manager.

  Attributes:
    path: of the JSON lines: "step" and the numbers of one call a line, what is
      not finite as NaN or Infinity, which Python's `json` reads.
  """

  def __init__(
    self,
    workdir: str,
    first_step: int,
    active: bool = True,
    mirror: Callable[[], Any] | None = None,
  ):
    """Opens the files.

    Args:
      workdir: folder, made if it is missing. One in a bucket (gs://) needs the
        packages gcsfs and google-cloud-storage.
      first_step: the restored step, 0 in a new run.
      active: False on all hosts but one; they write nothing.
      mirror: to what gets the same numbers, by `write` and `close`.

    Raises:
      OSError: they cannot be written, said in one sentence.
    """
    self.path = epath.Path(workdir) / "metrics.jsonl"
    self._events, self._mirror, self._last_step = None, None, 0
    if active:
      folder = epath.Path(workdir) / "tensorboard"
      with intact.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
      wanted = functools.partial(_is_up_to, first_step)
      lines = intact.keep_objects(self.path, wanted)
      self._last_step = max((line["step"] for line in lines), default=0)
      with intact.writing(folder):
        self._events = events.Events(folder, first_step, lines)
      self._mirror = mirror() if mirror else None

  def __enter__(self) -> "Recorder":
    return self

  def __exit__(self, *error: object) -> None:
    self.close()

  def write(self, step: int, metrics: Mapping[str, float]) -> None:
    """Appends one line, which is on disk when this returns.

    Args:
      step: number of updates behind the numbers.
      metrics: names and Python numbers.

    Raises:
      OSError: it cannot be written; earlier lines are whole.
    """
    if self._events is None:
      return
    intact.append(json.dumps({"step": step, **metrics}) + "\n", self.path)
    self._last_step = step
    with intact.writing(self.path.parent / "tensorboard"):
      self._events.write(step, metrics)
    if self._mirror:
      self._mirror.write(step, metrics)

  def has(self, step: int) -> bool:
    """Whether there is a line of a step; False where nothing is written."""
    return step == self._last_step

  def flush(self) -> None:
    """Puts the events on disk, so that no restart after this lacks them.

    Raises:
      OSError: they cannot be written.
    """
    if self._events is not None:
      with intact.writing(self.path.parent / "tensorboard"):
        self._events.flush()

  def close(self) -> None:
    """Writes out the last events.

    Raises:
      OSError: they cannot be written.
    """
    if self._mirror:
      self._mirror.close()
    if self._events is not None:
      with intact.writing(self.path.parent / "tensorboard"):
        self._events.close()


def _is_up_to(last: int, line: Mapping[str, Any]) -> bool:
  return type(line.get("step")) is int and line["step"] <= last
