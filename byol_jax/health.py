"""Watches the numbers of a run: the first that is not finite, and collapse."""

import collections
import json
import math
import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

import chex
import numpy as np

from byol_jax import intact, parallel, records
from byol_jax.types import Batch, Metrics

# What is left of a run that diverged, in its workdir.
REPORT = "diverged.json"
# A loss is read so many steps later: the devices never wait for the host, and
# are never further ahead of it.
_LAG = 2
# Steps whose numbers are kept, to find out which went bad first.
_REMEMBERED = 4
# Healthy runs were seen above 0.4, collapsed ones below 0.04; 1 is best.
_COLLAPSED = 0.05
_PATIENCE = 3


class _Step(NamedTuple):
  """One step's numbers, still on the devices."""

  number: int
  metrics: Metrics
  index: chex.Array | None


class Losses:
  """Reads each step's loss, and stops a run at the first that is not finite.

  The pictures of that step and of the one before, whose update may be to blame,
  are then written to `diverged.json` in the workdir: `index`, places in the
  data set by step, and `names` where they have any.
  """

  def __init__(
    self,
    workdir: str,
    max_skipped: int = 0,
    name_of: Callable[[int], str] | None = None,
  ):
    """Nothing was read yet.

    Args:
      workdir: of the run.
      max_skipped: steps that the whole run may leave out because they were not
        finite; metrics then have `skipped_steps`, those of the run so far.
      name_of: place in the data set to a picture's name; None without.
    """
    self._workdir, self._max_skipped = workdir, max_skipped
    self._name_of, self._num_skipped = name_of, None
    self._waiting = collections.deque()
    self._seen = collections.deque(maxlen=_REMEMBERED)

  def add(self, number: int, metrics: Metrics, batch: Batch) -> None:
    """Takes a step's numbers, and reads those of an earlier step.

    Args:
      number: of the step, from 1.
      metrics: of all devices, with `loss`.
      batch: what the step has seen, with `index` where there is one.

    Raises:
      FloatingPointError: an earlier step was not finite. Every host raises it
        at the same step.
    """
    self._waiting.append(_Step(number, metrics, batch.get("index")))
    _shard(metrics["loss"]).copy_to_host_async()
    while len(self._waiting) > _LAG:
      self._read_one()

  def settle(self) -> None:
    """Reads all that were added; as `add` otherwise."""
    while self._waiting:
      self._read_one()

  def _read_one(self) -> None:
    step = self._waiting.popleft()
    self._seen.append(step)
    if "skipped_steps" in step.metrics:
      self._count_skipped(step)
    elif not math.isfinite(_number(step.metrics["loss"])):
      raise FloatingPointError(self._diverged(step, ""))

  def _count_skipped(self, step: _Step) -> None:
    count = int(_number(step.metrics["skipped_steps"]))
    before, self._num_skipped = self._num_skipped, count
    if count > self._max_skipped:
      allowed = f" and training.max_skipped_steps={self._max_skipped} are left"
      raise FloatingPointError(self._diverged(step, f"{allowed} out already"))
    # Of the first that is read only the loss can tell.
    bad = not math.isfinite(_number(step.metrics["loss"]))
    if count and (bad if before is None else count > before):
      records.say(
        f"Step {step.number} is left out ({count} of at most"
        f" {self._max_skipped}): {_what(_numbers(step.metrics))}.",
        parallel.host() == 0,
      )

  def _diverged(self, step: _Step, skipped: str) -> str:
    """Writes the report, and says what happened."""
    numbers = {x.number: _numbers(x.metrics) for x in self._seen}
    first = step.number
    if not skipped:
      first = next((n for n in numbers if _bad(numbers[n])), first)
    report = os.path.join(self._workdir, REPORT)
    look = f", or look at the pictures that {report} names"
    try:
      self._write(report, first, numbers)
    except OSError as error:
      look = f" ({error})"  # What matters is that the run diverged.
    what = _what(numbers[first])
    return (
      f"{what[0].upper()}{what[1:]} at step {first}{skipped}: lower the"
      f" learning rate{look}; the last checkpoint is untouched."
    )

  def _write(self, path: str, first: int, numbers: Mapping) -> None:
    """Writes the report; the places of all hosts' pictures come together."""
    guilty = [x for x in self._seen if first - 1 <= x.number <= first]
    index = {
      x.number: parallel.gather(x.index).tolist()
      for x in guilty
      if x.index is not None
    }
    report = {"step": first, "metrics": numbers, "index": index}
    if self._name_of:
      report["names"] = {
        step: [self._name_of(place) for place in places]
        for step, places in index.items()
      }
    if parallel.host() == 0:
      intact.write_whole(json.dumps(report, indent=2), path)


class Collapse:
  """Says so once when all projections have become nearly alike."""

  def __init__(self):
    """Nothing was seen yet."""
    self._times, self._said = 0, False

  def look(self, step: int, values: Mapping[str, float]) -> str:
    """Looks at the recorded numbers of a step.

    Args:
      step: their step.
      values: with `projection_std`, as `metrics.collapse_statistics` has it;
        anything goes without it.

    Returns:
      A warning when it has been low in three looks on end, the first time; else
      an empty text.
    """
    spread = values.get("projection_std", 1.0)
    self._times = self._times + 1 if spread < _COLLAPSED else 0
    if self._said or self._times < _PATIENCE:
      return ""
    self._said = True
    return (
      f"Collapse at step {step}: pictures hardly differ any more"
      f" (projection_std {spread:.2g}, 1 is best, image_cosine"
      f" {values.get('image_cosine', math.nan):.4f}); what follows is unlikely"
      " to be of use. Look at the target, the predictor and the norms."
    )


def _shard(x: chex.Array) -> chex.Array:
  return x.addressable_shards[0].data


def _number(x: chex.Array) -> float:
  return float(np.asarray(_shard(x)).reshape(()))


def _numbers(metrics: Metrics) -> dict[str, float]:
  """All numbers of a step, on the host."""
  return {name: float(x) for name, x in parallel.first(dict(metrics)).items()}


def _bad(numbers: Mapping[str, float]) -> list[str]:
  """Names of what is not finite; the loss, the sum of others, comes last."""
  found = [name for name, x in numbers.items() if not math.isfinite(x)]
  return sorted(found, key=lambda name: name == "loss")


def _what(numbers: Mapping[str, float]) -> str:
  names = _bad(numbers)
  if not names:
    return "a gradient is not finite"
  return "the " + " and ".join(f"{x} is {numbers[x]}" for x in names)
