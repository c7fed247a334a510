"""The only training loop: restore, step, log, evaluate, save, stop."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import chex
import jax

from byol_jax import checkpoint, parallel, records
from byol_jax.types import Batch, Metrics


class Job(NamedTuple):
  """What there is to train, as functions of replicated states.

  Attributes:
    init: to the state at step 0. A state is a NamedTuple with a field `step`.
    step: (state, batch) to (state, metrics), across devices; donates the state.
    batches: first step to the batches from there on, on the devices.
    evaluate: state to named numbers; called on every host.
    config_json: goes into each checkpoint.
  """

  init: Callable[[], Any]
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


def run(job: Job, plan: Plan, workdir: str) -> Any:
  """Trains to the end, from the newest checkpoint if there is one.

  Evaluation comes before the checkpoint of the same step: a run that dies in
  between evaluates again.

  Args:
    job: what to train.
    plan: how long.
    workdir: folder for checkpoints, metrics and events; made if missing.

  Returns:
    The last state, replicated.

  Raises:
    ValueError: the checkpoint belongs to another network.
    FloatingPointError: the loss is not a number any more.
  """
  folder = os.path.join(workdir, checkpoint.FOLDER)
  manager = checkpoint.open_manager(folder, plan.keep)
  active = parallel.host() == 0
  state, first_step = restore_or_init(manager, job.init)
  with (
    records.Recorder(workdir, first_step, active) as recorder,
    records.Progress(
      plan.num_steps, first_step, plan.images_per_step, active
    ) as progress,
  ):
    if first_step:
      progress.say(f"Continuing at step {first_step} from {folder}.")
    batches = job.batches(first_step)
    for step in range(first_step + 1, plan.num_steps + 1):
      state, metrics = job.step(state, next(batches))
      if _is_due(step, plan.log_every, plan.num_steps):
        values = _floats(metrics, step)
        recorder.write(step, values)
        progress.show(step, values["loss"])
      if _is_due(step, plan.evaluate_every, plan.num_steps):
        scores = job.evaluate(state)
        recorder.write(step, scores)
        progress.say(f"step {step}: {_text(scores)}")
      if _is_due(step, plan.checkpoint_every, plan.num_steps):
        host_state = parallel.first(state)
        checkpoint.save(manager, step, host_state, job.config_json)
  checkpoint.close(manager)
  return state


def restore_or_init(
  manager: Any, init: Callable[[], Any]
) -> tuple[chex.ArrayTree, int]:
  """The newest checkpoint's state, or a fresh one; and its step."""
  state = init()
  step = checkpoint.latest(manager)
  if step is None:
    return state, 0
  # The fresh state's shapes say what to expect; [1:] drops the device axis.
  like = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), state
  )
  return parallel.replicate(checkpoint.restore(manager, step, like)), step


def _is_due(step: int, every: int, num_steps: int) -> bool:
  return step == num_steps or (every > 0 and step % every == 0)


def _floats(metrics: Metrics, step: int) -> dict[str, float]:
  """Waits for the step and brings its numbers to the host."""
  values = {k: float(v) for k, v in parallel.first(dict(metrics)).items()}
  if not math.isfinite(values["loss"]):
    raise FloatingPointError(
      f"The loss is {values['loss']} at step {step}: lower"
      " optimizer.base_learning_rate; the last checkpoint is untouched."
    )
  return values


def _text(scores: Mapping[str, float]) -> str:
  return ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
