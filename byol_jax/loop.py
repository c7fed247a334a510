"""The only training loop: restore, step, log, evaluate, save, stop."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import chex
import jax
import numpy as np

from byol_jax import checkpoint, parallel, records
from byol_jax.types import Batch, Metrics


class Job(NamedTuple):
  """What there is to train, as functions of replicated states.

  Attributes:
    init: to the state at step 0. A state is a NamedTuple with a field `step`.
    shapes: to one replica's arrays as `jax.ShapeDtypeStruct`, for a restart,
      which needs no fresh state.
    step: (state, batch) to (state, metrics), across devices; donates the state.
    batches: first step to the batches from there on, on the devices.
    evaluate: state to named numbers; called on every host.
    config_json: goes into each checkpoint.
  """

  init: Callable[[], Any]
  shapes: Callable[[], Any]
  step: Callable[[Any, Batch], tuple[Any, Metrics]]
  batches: Callable[[int], Iterator[Batch]]
  evaluate: Callable[[Any], Mapping[str, float]]
  config_json: str


class Plan(NamedTuple):
  """How long and how often, in steps; a period of 0 means only at the end.

  Attributes:
    num_steps: of the whole run.
    images_per_step: of all devices together, for the rate shown.
    log_every: period of the recorded metrics, 1 or more.
    evaluate_every: period of `Job.evaluate`.
    checkpoint_every: period of the checkpoints.
    keep: checkpoints to keep.
  """

  num_steps: int
  images_per_step: int
  log_every: int
  evaluate_every: int
  checkpoint_every: int
  keep: int


def run(job: Job, plan: Plan, workdir: str) -> tuple[Any, int]:
  """Trains to the end, from the newest checkpoint if there is one.

  A step is logged, evaluated, recorded and only then saved: a run that dies in
  between does all of it again, and the record has each step once.

  Args:
    job: what to train.
    plan: how long.
    workdir: folder for checkpoints, metrics and events; made if missing.

  Returns:
    The last state, replicated, and the step that this call began at.

  Raises:
    CheckpointError: the checkpoint belongs to another network.
    FloatingPointError: the loss or the state is not finite any more.
  """
  folder = os.path.join(workdir, checkpoint.FOLDER)
  with checkpoint.open_manager(folder, plan.keep) as manager:
    active = parallel.host() == 0
    state, first_step = _begin(job, manager, active)
    if first_step >= plan.num_steps:
      return state, first_step
    with (
      records.Recorder(workdir, first_step, active) as recorder,
      records.Progress(
        plan.num_steps, first_step, plan.images_per_step, active
      ) as progress,
    ):
      batches = job.batches(first_step)
      for step in range(first_step + 1, plan.num_steps + 1):
        state, metrics = job.step(state, next(batches))
        values = {}
        if _is_due(step, plan.log_every, plan.num_steps):
          values.update(_floats(metrics, step))
          progress.show(step, values["loss"])
        if _is_due(step, plan.evaluate_every, plan.num_steps):
          with progress.paused():
            scores = job.evaluate(state)
          values.update(scores)
          if scores:
            progress.say(f"step {step}: {_text(scores)}")
        if values:
          recorder.write(step, values)
        if _is_due(step, plan.checkpoint_every, plan.num_steps):
          host_state = _finite(parallel.first(state), step)
          checkpoint.save(manager, step, host_state, job.config_json)
  return state, first_step


def _begin(job: Job, manager: Any, active: bool) -> tuple[Any, int]:
  """The newest checkpoint's state, or a fresh one; and its step."""
  step = checkpoint.latest(manager)
  steps = parallel.everywhere(-1 if step is None else step)
  if len(set(steps.tolist())) > 1:
    raise checkpoint.CheckpointError(
      f"The hosts see different checkpoints in {manager.directory} (steps"
      f" {steps.tolist()}, -1 for none): --workdir must be one that all share."
    )
  if step is None:
    records.say(f"Beginning in {manager.directory.parent}.", active)
    return job.init(), 0
  state = checkpoint.restore(manager, step, job.shapes())
  records.say(f"Found step {step} in {manager.directory}.", active)
  changes = ", ".join(checkpoint.changes(manager, step, job.config_json))
  if changes:
    records.say(f"Continuing with changed settings: {changes}.", active)
  return parallel.replicate(state), step


def _is_due(step: int, every: int, num_steps: int) -> bool:
  return step == num_steps or (every > 0 and step % every == 0)


def _floats(metrics: Metrics, step: int) -> dict[str, float]:
  """Waits for the step and brings its numbers to the host."""
  values = {k: float(v) for k, v in parallel.first(dict(metrics)).items()}
  if not math.isfinite(values["loss"]):
    raise FloatingPointError(_diverged(f"The loss is {values['loss']}", step))
  return values


def _finite(state: chex.ArrayTree, step: int) -> chex.ArrayTree:
  """The state, if it may be kept: a bad one would spoil every restart."""
  for path, leaf in jax.tree.leaves_with_path(state):
    if not np.all(np.isfinite(leaf)):
      name = jax.tree_util.keystr(path, simple=True, separator="/")
      raise FloatingPointError(_diverged(f"{name} is not finite", step))
  return state


def _diverged(what: str, step: int) -> str:
  return (
    f"{what} at step {step}: lower the learning rate; the last checkpoint is"
    " untouched."
  )


def _text(scores: Mapping[str, float]) -> str:
  return ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
