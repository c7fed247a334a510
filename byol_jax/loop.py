"""The only training loop: restore, step, log, evaluate, save, stop."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import chex
import jax
import numpy as np

from byol_jax import (
  checkpoint,
  health,
  jobs,
  pace,
  parallel,
  records,
  replicas,
  stopping,
)
from byol_jax.types import Metrics

# Steps between two comparisons of the devices' states.
_COMPARE_EVERY = 500
# Settings that a finished state does not depend on; other pictures are told by
# their digest, and an encoder by its weights.
_HARMLESS = (
  "checkpoint.",
  "data.",
  "encoder ",
  "evaluation.",
  "like ",
  "log_every ",
  "training.num_epochs ",
  "training.shard_state ",
)


class _Start(NamedTuple):
  """Where a run begins; `pending` is recorded once it is evaluated."""

  state: Any
  step: int
  pending: Mapping[str, float] | None


class _Stepped(NamedTuple):
  """What a step leaves on the devices."""

  state: Any
  step: int
  metrics: Metrics


class _Tools(NamedTuple):
  """What each step is written to and watched by."""

  manager: Any
  recorder: records.Recorder
  progress: pace.Progress
  losses: health.Losses
  collapse: health.Collapse


def run(job: jobs.Job, plan: jobs.Plan, workdir: str) -> tuple[Any, int]:
  """Trains to the end, from the newest checkpoint if there is one.

  A step is logged, evaluated, recorded and only then saved: a run that dies in
  between does all of it again, and the record has each step once. A run that is
  asked to stop saves at once; an evaluation that this cuts short is the first
  thing that happens when it continues.

  Args:
    job: what to train.
    plan: how long.
    workdir: folder for checkpoints, metrics and events; made if missing. The
      caller holds it (`workdirs`).

  Returns:
    The last state, replicated, and the step that this call began at.

  Raises:
    CheckpointError: the checkpoint belongs to another network, or none can be
      read or written.
    FloatingPointError: the loss or the state is not finite any more.
    ReplicaError: the devices' states differ.
    StoppedError: somebody asked for it, and everything is saved.
    ValueError: the run is finished, and not by these settings.
  """
  folder = os.path.join(workdir, checkpoint.FOLDER)
  try:
    with checkpoint.open_manager(folder, plan.keep) as manager:
      start = _begin(job, manager, plan.num_steps)
      if start.step >= plan.num_steps and start.pending is None:
        return job.whole(start.state), start.step
      state = _train(job, plan, workdir, manager, start)
  finally:
    stopping.let_go()
  stopping.check()
  return job.whole(state), start.step


def _train(
  job: jobs.Job, plan: jobs.Plan, workdir: str, manager: Any, start: _Start
):
  """The steps that are left; the last state."""
  active, (state, first_step, pending) = parallel.host() == 0, start
  with (
    records.Recorder(workdir, first_step, active, job.mirror) as recorder,
    pace.Progress(
      plan.num_steps, first_step, plan.images_per_step, active
    ) as progress,
  ):
    losses = health.Losses(workdir, plan.max_skipped, job.name_of)
    tools = _Tools(manager, recorder, progress, losses, health.Collapse())
    if pending is not None:
      _catch_up(job, start, tools)
    batches = job.batches(first_step)
    for step in range(first_step + 1, plan.num_steps + 1):
      batch = next(batches)
      state, metrics = job.step(state, batch)
      stopping.hold()
      losses.add(step, metrics, batch)
      _end_step(job, plan, _Stepped(state, step, metrics), tools)
  return state


def _catch_up(job: jobs.Job, start: _Start, tools: _Tools) -> None:
  """Makes the evaluation that an earlier call was asked to leave."""
  # A line of this step says that a call in between has made it; host 0 knows.
  if parallel.everywhere(tools.recorder.has(start.step))[0]:
    return
  scores = _scores(job, start.state, start.step, tools.progress)
  if scores is None:
    raise stopping.StoppedError
  values = {**start.pending, **scores}
  if values:
    tools.recorder.write(start.step, values)


def _end_step(
  job: jobs.Job, plan: jobs.Plan, stepped: _Stepped, tools: _Tools
) -> None:
  """Logs, evaluates, records and saves a step, each if it is due."""
  state, step, _ = stepped
  stop, values, pending = stopping.due(), {}, None
  if _is_due(step, plan.log_every, plan.num_steps):
    values = _logged(stepped, tools)
  if _is_due(step, plan.evaluate_every, plan.num_steps):
    scores = None if stop else _scores(job, state, step, tools.progress)
    if scores is None:
      stop, pending = True, values
    else:
      values = {**values, **scores}
  if values and pending is None:
    tools.recorder.write(step, values)
  if stop or _is_due(step, plan.checkpoint_every, plan.num_steps):
    tools.losses.settle()
    tools.recorder.flush()
    _save(job, tools.manager, stepped, pending)
  if stop or step == plan.num_steps:
    checkpoint.wait(tools.manager)  # No host says that all is well before.
  if step % _COMPARE_EVERY == 0 and parallel.num_devices() > 1:
    replicas.check(job.copies(state), step)
  if stop:
    raise stopping.StoppedError
  if values and job.aside:
    with tools.progress.paused():
      job.aside()


def _logged(stepped: _Stepped, tools: _Tools) -> dict[str, float]:
  """Waits for the step, brings its numbers to the host and shows them."""
  tools.losses.settle()
  on_host = parallel.first(dict(stepped.metrics))
  values = {name: float(x) for name, x in on_host.items()}
  tools.progress.show(stepped.step, values["loss"])
  warning = tools.collapse.look(stepped.step, values)
  if warning:
    tools.progress.say(warning)
  return values


def _begin(job: jobs.Job, manager: Any, num_steps: int) -> _Start:
  """The newest checkpoint's state, or a fresh one."""
  active = parallel.host() == 0
  found = checkpoint.restore_newest(manager, job.shapes(), job.config_json)
  if found is None:
    records.say(f"Beginning in {manager.directory.parent}.", active)
    return _Start(job.cut(job.init()), 0, None)
  records.say(f"Found step {found.step} in {manager.directory}.", active)
  if found.changes:
    changes = ", ".join(found.changes)
    if found.step >= num_steps and any(map(_is_late, found.changes)):
      raise ValueError(
        f"The run in {manager.directory.parent} is finished; no step is left"
        f" for other settings ({changes}): choose another --workdir."
      )
    records.say(f"Continuing with changed settings: {changes}.", active)
  state = job.cut(parallel.replicate(found.state))
  return _Start(state, found.step, found.pending)


def _is_late(change: str) -> bool:
  """Whether a change would have made another state; "key old -> new"."""
  # What the checkpoint's config lacks is younger than it.
  return not change.startswith(_HARMLESS) and " None -> " not in change


def _scores(
  job: jobs.Job, state: Any, step: int, progress: pace.Progress
) -> Mapping[str, float] | None:
  """What the evaluation finds; None if it is asked to stop."""
  try:
    with progress.paused():
      scores = job.evaluate(job.whole(state))
  except stopping.StoppedError:
    return None
  if scores:
    progress.say(f"step {step}: {_text(scores)}")
  return scores


def _save(job: jobs.Job, manager: Any, stepped: _Stepped, pending) -> None:
  """Saves a state that is the same everywhere and finite."""
  state, step, _ = stepped
  if parallel.num_hosts() > 1:
    replicas.check(job.copies(state), step)
  host_state = _finite(parallel.first(job.whole(state)), step)
  checkpoint.save(manager, step, host_state, job.config_json, pending)


def _is_due(step: int, every: int, num_steps: int) -> bool:
  return step == num_steps or (every > 0 and step % every == 0)


def _finite(state: chex.ArrayTree, step: int) -> chex.ArrayTree:
  """The state, if it may be kept: a bad one would spoil every restart."""
  for path, leaf in jax.tree.leaves_with_path(state):
    if not np.all(np.isfinite(leaf)):
      name = jax.tree_util.keystr(path, simple=True, separator="/")
      raise FloatingPointError(
        f"{name} is not finite at step {step}: lower the learning rate; the"
        " last checkpoint is untouched."
      )
  return state


def _text(scores: Mapping[str, float]) -> str:
  return ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
