"""How far a training is, and how fast: a bar, or a few lines."""

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterator

import tqdm

from byol_jax import records

# Beyond these, the lines in a log file hide more than they tell.
_SECS_BETWEEN_LINES = 30.0
_MAX_LINES = 200


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
    records.say(text, self._active)

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
