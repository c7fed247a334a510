"""What a run reports: JSON lines, TensorBoard events and a progress line."""

import contextlib
import functools
import json
import logging
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tqdm
from etils import epath

from byol_jax import events, intact

# Beyond these, the lines in a log file hide more than they tell.
_SECS_BETWEEN_LINES = 30.0
_MAX_LINES = 200


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


class Progress:
  """Loss, images a second and time left: a bar on a terminal, else lines.

  Lines come at most every 30 seconds and at most 200 in all, beside the first
  and the last, so that a log file stays readable. A context manager.
  """

  def __init__(
    self,
    num_steps: int,
    first_step: int,
    images_per_step: int,
    active: bool = True,
  ):
    """Shows nothing yet.

    Args:
      num_steps: of the whole run.
      first_step: the restored step, 0 in a new run.
      images_per_step: of all devices together.
      active: False on all hosts but one; they show nothing.
    """
    self._num_steps = num_steps
    self._images_per_step = images_per_step
    self._active = active
    self._shown_step, self._shown_secs = first_step, -math.inf
    self._since_step, self._since_secs = first_step, time.monotonic()
    self._compiled = False
    self._bar = tqdm.tqdm(
      total=num_steps,
      initial=first_step,
      disable=not (active and _is_wide()),
      dynamic_ncols=True,
      bar_format="{percentage:3.0f}%|{bar}| {desc}",
    )

  def __enter__(self) -> "Progress":
    return self

  def __exit__(self, *error: object) -> None:
    self._bar.close()

  def show(self, step: int, loss: float) -> None:
    """Reports where the training is.

    Args:
      step: number of updates so far, more than the last time.
      loss: of the last update.
    """
    text = f"step {step}/{self._num_steps}, loss {loss:.4g}"
    if self._compiled:
      text += f", {self._rate(step) * self._images_per_step:.4g} images/s"
      text += f", {self._left(step)} left"
    if not self._bar.disable:
      self._bar.set_description_str(text, refresh=False)
      self._bar.update(step - self._bar.n)
    elif self._active and self._is_due(step):
      self._shown_step, self._shown_secs = step, time.monotonic()
      self.say(text)
    if not self._compiled:
      self._since_step, self._since_secs = step, time.monotonic()
      self._compiled = True

  def say(self, text: str) -> None:
    """Prints a line without breaking the bar."""
    say(text, self._active)

  @contextlib.contextmanager
  def paused(self) -> Iterator[None]:
    """Leaves the time that its block takes out of the rate."""
    start = time.monotonic()
    yield
    self._since_secs += time.monotonic() - start

  def _rate(self, step: int) -> float:
    """Steps a second, once compiled without the time that took."""
    secs = time.monotonic() - self._since_secs
    return (step - self._since_step) / max(secs, 1e-9)

  def _left(self, step: int) -> str:
    secs = (self._num_steps - step) / max(self._rate(step), 1e-9)
    return tqdm.tqdm.format_interval(secs)

  def _is_due(self, step: int) -> bool:
    if step >= self._num_steps:
      return True
    waited = time.monotonic() - self._shown_secs >= _SECS_BETWEEN_LINES
    moved = step - self._shown_step >= self._num_steps / _MAX_LINES
    return waited and (moved or self._shown_secs == -math.inf)


def _is_wide() -> bool:
  """Whether the standard error is a terminal with room for a bar."""
  if not sys.stderr.isatty():
    return False
  try:
    return os.get_terminal_size(sys.stderr.fileno()).columns > 0
  except OSError:  # It does not say.
    return True


def _is_up_to(last: int, line: Mapping[str, Any]) -> bool:
  return type(line.get("step")) is int and line["step"] <= last
