"""What two soaked processes are doing, and what they have done."""

import time

from byol_jax import intact
from tests import tiny

PHASES = ("start-up", "compilation", "step", "checkpoint", "evaluation")
# Without a sign of life; loaded machines compile for minutes.
_STUCK_SECS = 240.0
EVALUATE = 20  # Steps from evaluation to evaluation.


def wait_for(phase, workdir, before, processes):
  """Returns when the phase begins, or a process has ended.

  Returns:
    Whether they did nothing of that for too long.
  """
  begin = time.monotonic()

  def stuck():
    return time.monotonic() - begin > _STUCK_SECS

  def until(happened):
    while all(x.poll() is None for x in processes) and not stuck():
      if happened():
        return
      time.sleep(0.001 if phase == "checkpoint" else 0.01)

  if phase == "start-up":
    return False
  until(lambda: newest_events(workdir) != before)
  if phase != "compilation":
    first = _last_step(workdir)
    until(lambda: _last_step(workdir) > first)
  if phase == "checkpoint":
    until(lambda: any((workdir / "checkpoints").glob("*tmp*")))
  if phase == "evaluation":
    until(lambda: _last_step(workdir) % EVALUATE == EVALUATE - 1)
  return stuck()


def newest_events(workdir):
  return max((x.name for x in (workdir / "tensorboard").glob("*")), default="")


def _last_step(workdir):
  lines = intact.objects(workdir / "metrics.jsonl")
  return lines[-1]["step"] if lines else 0


def reached(workdir):
  """The last recorded step, and the one to continue from."""
  folder = workdir / "checkpoints"
  steps = [int(x.name) for x in folder.glob("*") if x.name.isdigit()]
  damaged = [x.name for x in folder.glob("*.damaged*")]
  saved = max(steps, default=0)
  return {"step": _last_step(workdir), "saved": saved, "damaged": damaged}


def compare(ours, theirs):
  """What differs from the unbroken run; nothing, if all is well."""
  one, other = tiny.state(ours), tiny.state(theirs)
  differing = [
    key
    for key in sorted(one.keys() | other.keys())
    if key not in one
    or key not in other
    or one[key].tobytes() != other[key].tobytes()
  ]
  if (ours / "metrics.jsonl").read_bytes() != (
    theirs / "metrics.jsonl"
  ).read_bytes():
    differing.append("metrics.jsonl")
  scores = [intact.read(x / "summary.json")["scores"] for x in (ours, theirs)]
  return differing + (["summary.json"] if scores[0] != scores[1] else [])
