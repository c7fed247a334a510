"""What a run reports: JSON lines, TensorBoard events and a progress line."""

import contextlib
import json
import logging
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping

import tensorboardX
import tqdm
from etils import epath

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

  def __init__(self, workdir: str, first_step: int, active: bool = True):
    """Opens the files.

    Args:
      workdir: folder, made if it is missing. One in a bucket (gs://) needs the
        packages gcsfs and google-cloud-storage.
      first_step: the restored step, 0 in a new run.
      active: False on all hosts but one; they write nothing.
    """
    self.path = epath.Path(workdir) / "metrics.jsonl"
    self._events = None
    if active:
      self.path.parent.mkdir(parents=True, exist_ok=True)
      _drop_after(first_step, self.path)
      self._events = tensorboardX.SummaryWriter(
        os.path.join(workdir, "tensorboard"),
        purge_step=first_step + 1,
        # Files are named after the second in which they were made.
        filename_suffix=f".from_step_{first_step}",
      )

  def __enter__(self) -> "Recorder":
    return self

  def __exit__(self, *error: object) -> None:
    self.close()

  def write(self, step: int, metrics: Mapping[str, float]) -> None:
    """Appends one line, which is on disk when this returns.

    Args:
      step: number of updates behind the numbers.
      metrics: names and Python numbers.
    """
    if self._events is None:
      return
    append(json.dumps({"step": step, **metrics}) + "\n", self.path)
    for name, value in metrics.items():
      self._events.add_scalar(name, value, global_step=step)

  def close(self) -> None:
    """Writes out the last events."""
    if self._events is not None:
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
      disable=not (active and sys.stderr.isatty()),
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


def write_whole(text: str, path: epath.PathLike) -> None:
  """Writes a file that is there whole, or not at all."""
  path = epath.Path(path)
  draft = path.parent / f"{path.name}.tmp"
  draft.write_text(text)
  draft.replace(path)


def append(text: str, path: epath.Path) -> None:
  """Adds to a file, or begins it; one in a bucket is written anew."""
  if "://" in str(path):
    path.write_text((path.read_text() if path.exists() else "") + text)
  else:
    with path.open("a") as file:
      file.write(text)


def _drop_after(step: int, path: epath.Path) -> None:
  """Rewrites JSON lines without later steps and without a broken line."""
  if path.exists():
    lines = path.read_bytes().decode(errors="replace").splitlines(True)
    kept = [line for line in lines if _is_up_to(step, line)]
    write_whole("".join(kept), path)


def _is_up_to(step: int, line: str) -> bool:
  try:
    return line.endswith("\n") and json.loads(line)["step"] <= step
  except (ValueError, KeyError, TypeError):
    return False  # Half a line, from a process that was killed.
