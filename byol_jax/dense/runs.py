"""A dense task from config to result: sweep, train, test, draw, write."""

import os
import time
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import jax
import ml_collections
import numpy as np

from byol_jax import encoders, inputs, parallel, storage, workdirs
from byol_jax.data import annotated, pictures, problems, sources
from byol_jax.dense import (
  choosing,
  depth,
  description,
  detection,
  division,
  keys,
  segmentation,
  training,
  update,
)
from byol_jax.dense import task as tasks
from byol_jax.evaluation import results, subject

TASKS: Mapping[str, ModuleType] = {
  "segmentation": segmentation,
  "detection": detection,
  "depth": depth,
}
# Pictures that an untrained encoder takes its statistics from.
_MAX_DRAWN = 256
_OVERLAYS = "overlays"


def find(
  config: ml_collections.ConfigDict,
) -> tuple[encoders.Encoder, ml_collections.ConfigDict]:
  """Finds the encoder, and writes its architecture into the config.

  Args:
    config: a validated config of a dense task.

  Returns:
    The encoder and a copy of the config that says what is transferred.

  Raises:
    CheckpointError: there is no encoder at that path.
  """
  encoder = subject.named(config)
  config = config.copy_and_resolve_references()
  config.network.update(encoder.spec._asdict())
  config.network.image_px = encoder.image_px
  return encoder, config.lock()


def describe(
  config: ml_collections.ConfigDict, encoder: encoders.Encoder, workdir: str
) -> str:
  """What will be done, for `--dry_run`.

  Args:
    config: from `find`.
    encoder: from `find`.
    workdir: that the run would have.

  Raises:
    DataError: the data is not there, or does not fit the config.
    WorkdirError: the workdir is the encoder's.
  """
  _check_workdir(config, workdir)
  task, parts = _open(config, encoder)
  division.check_scored(config, parts)
  return description.describe(config, encoder, task, parts, workdir)


def run(
  config: ml_collections.ConfigDict,
  encoder: encoders.Encoder,
  workdir: str,
  name: str,
) -> dict[str, Any]:
  """Trains a dense task and tests it, unless this workdir has the result.

  Args:
    config: from `find`.
    encoder: from `find`.
    workdir: gets `results.json`, the checkpoints in a folder of this training's
      own, and the pictures in one of this result's.
    name: of the config, for the report.

  Returns:
    What `results.json` holds.

  Raises:
    DataError: the data is not there, or does not fit the config.
    ValueError: every rate of the sweep diverged, or a file cannot be decoded.
    WorkdirError: the workdir cannot be used, or is the encoder's.
    StoppedError: somebody asked for it, and everything is saved.
  """
  _check_workdir(config, workdir)
  with workdirs.open_workdir(workdir, num_bytes=0):
    task, parts = _open(config, encoder)
    inputs.check_hosts(division.digest(parts))
    named = keys.of(config, encoder, parts)
    result = results.earlier(workdir, named.result)
    if not parallel.everywhere(result is not None)[0]:
      division.check_scored(config, parts)
      prepared = training.Run(config, task, _drawn(config, encoder, parts))
      result = {"title": name, **_result(prepared, parts, workdir, named)}
      results.write(result, workdir)
    elif parallel.host() == 0:
      results.restore(result, workdir)
      print("Already there, from an earlier time:")
    if parallel.host() == 0:
      print(results.line(result))
      print(f"Results: {os.path.join(workdir, 'results.json')}")
    return result


def _check_workdir(config, workdir: str) -> None:
  """Refuses a workdir whose newest result would be the next encoder."""
  if config.encoder == "random":
    return
  if storage.absolute(config.encoder) == storage.absolute(workdir):
    raise workdirs.WorkdirError(
      f"--workdir={workdir} is the encoder's own folder: choose another, so"
      " that the same command always begins with the same encoder."
    )


def _open(config, encoder) -> tuple[tasks.Task, division.Parts]:
  """Task and data, refused here rather than in the middle of the work."""
  opener = TASKS[config.protocol]
  parts = division.open_parts(config, opener)
  reader = inputs.reader(config.seed, config.training.batch_size)
  try:
    task = opener.make(config, encoder.spec)
    sources.steps_per_epoch(parts.train.num_images, reader.batch_size)
    sources.local_size(reader)
    for part in (parts.everything, parts.test):
      part.read(0)
  except ValueError as error:
    raise problems.DataError(str(error)) from error
  return task, parts


def _drawn(config, encoder, parts: division.Parts) -> encoders.Encoder:
  """The encoder with weights, which an untrained one lacks."""
  if encoder.variables is not None:
    return encoder
  images = _some_images(parts.train, encoder.image_px)
  key = jax.random.key(config.seed)
  drawn = encoders.draw(encoder.spec, key, images)
  return encoder._replace(variables=drawn)


def _some_images(source: annotated.AnnotatedSource, image_px: int):
  """A few training pictures, the same on every host."""
  count = min(_MAX_DRAWN, source.num_images)
  chosen = np.linspace(0, source.num_images - 1, count).astype(int)
  images = [source.read(int(position))[0] for position in chosen]
  return np.stack([pictures.centre_square(x, 1.0, image_px) for x in images])


def _result(
  run_of: training.Run, parts: division.Parts, workdir: str, named: keys.Keys
) -> dict[str, Any]:
  """Trains, tests and draws; what `results.json` says of it."""
  config, task, start = run_of.config, run_of.task, time.monotonic()
  state, choice = _trained(run_of, parts, os.path.join(workdir, named.training))
  variables = update.variables(state)
  tested = task.evaluate(variables, parts.test)
  if config.evaluation.pictures:
    place = os.path.join(workdir, named.result, _OVERLAYS)
    task.draw(variables, parts.test, place)
  return {
    "set": "",
    "split": "test",
    "metric": task.metric,
    "scores": dict(tested.scores),
    "classes": {name: dict(x) for name, x in tested.classes.items()},
    "baseline": dict(task.baseline(parts.everything, parts.test)),
    **choice,
    "checkpoint": f"{named.training}/{training.FINAL}",
    **results.about(config, run_of.encoder, run_of.encoder.variables),
    "sizes": division.sizes(parts),
    "wall_secs": round(time.monotonic() - start, 1),
    "key": named.result,
  }


def _trained(
  run_of: training.Run, parts: division.Parts, folder: str
) -> tuple[update.State, dict[str, Any]]:
  """Chooses the rate where there are several, and trains with it."""
  config = run_of.config
  chosen, candidates = {}, []
  if parts.valid:
    chosen, candidates = choosing.choose(run_of, parts, folder)
  rate = chosen.get("learning_rate", config.optimizer.learning_rates[0])
  data = training.Data(parts.everything, None)
  state = training.train(
    run_of, data, rate, os.path.join(folder, training.FINAL)
  )
  steps = {"learning_rate": rate, "steps": config.training.num_steps}
  return state, {"chosen": {**steps, **chosen}, "candidates": candidates}
