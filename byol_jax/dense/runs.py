"""A dense task from config to result: sweep, train, test, draw, write."""

import json
import math
import os
import time
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np
from etils import epath

from byol_jax import encoders, inputs, intact, parallel, records, workdirs
from byol_jax.data import annotated, identity, pictures, problems, splits
from byol_jax.dense import depth, detection, segmentation, training, update
from byol_jax.evaluation import results, subject

TASKS: Mapping[str, ModuleType] = {
  "segmentation": segmentation,
  "detection": detection,
  "depth": depth,
}
# Pictures that an untrained encoder takes its statistics from.
_MAX_DRAWN = 64
_OVERLAYS = "overlays"


class Parts(NamedTuple):
  """Data of a dense task.

  Attributes:
    train: without what is held out.
    valid: for choosing; None where nothing is held out.
    everything: train and valid.
    test: for the scores.
  """

  train: annotated.AnnotatedSource
  valid: annotated.AnnotatedSource | None
  everything: annotated.AnnotatedSource
  test: annotated.AnnotatedSource


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
  config: ml_collections.ConfigDict, encoder: encoders.Encoder
) -> str:
  """What will be done, for `--dry_run`.

  Args:
    config: from `find`.
    encoder: from `find`.

  Raises:
    DataError: the data is not there.
  """
  counts = _sizes(_open(config))
  rates = config.optimizer.learning_rates
  steps = f"{config.training.num_steps:,} steps"
  lines = (
    ("encoder", f"{encoder.name}, {encoder.spec.encoder}"),
    ("data", ", ".join(f"{n:,} {name}" for name, n in counts.items())),
    ("training", f"{steps} at each of the rates {', '.join(map(str, rates))}"),
  )
  return "\n".join(f"{name:>10}  {text}" for name, text in lines)


def run(
  config: ml_collections.ConfigDict,
  encoder: encoders.Encoder,
  workdir: str,
  name: str,
) -> dict[str, Any]:
  """Trains a dense task on an encoder and tests it.

  What is done in this workdir is not computed again.

  Args:
    config: from `find`.
    encoder: from `find`.
    workdir: gets `results.json` and, below a folder of this config's own, the
      checkpoints and the pictures.
    name: of the config, for the report.

  Returns:
    What `results.json` holds.

  Raises:
    DataError: the data is not there.
    ValueError: every rate of the sweep diverged, or a file cannot be decoded.
    WorkdirError: the workdir cannot be used.
    StoppedError: somebody asked for it, and everything is saved.
  """
  with workdirs.open_workdir(workdir, num_bytes=0):
    parts = _open(config)
    sizes, digest = _sizes(parts), _digest(parts)
    inputs.check_hosts(digest)
    key = results.key(config, encoder, [*sizes.values(), digest])
    result = results.earlier(workdir, key)
    if parallel.everywhere(result is not None)[0]:
      if parallel.host() == 0:
        results.restore(result, workdir)
        print("Already there, from an earlier time:")
    else:
      start = time.monotonic()
      run_of = _prepared(config, encoder, parts)
      found = _train_and_test(run_of, parts, os.path.join(workdir, key))
      result = {
        "title": name,
        "set": "",
        "split": "test",
        **found,
        **results.about(config, encoder, run_of.encoder.variables),
        "sizes": sizes,
        "wall_secs": round(time.monotonic() - start, 1),
        "key": key,
      }
      results.write(result, workdir)
    if parallel.host() == 0:
      print(results.line(result))
      print(f"Results: {os.path.join(workdir, 'results.json')}")
    return result


def _open(config: ml_collections.ConfigDict) -> Parts:
  """Train, what is held out of it, and test."""
  opener = TASKS[config.protocol]
  count = config.data.hold_out_images
  try:
    everything, test = (opener.open_part(config, x) for x in ("train", "test"))
    if not count:
      return Parts(everything, None, everything, test)
    held = splits.random_part(everything.num_images, count, config.seed)
  except ValueError as error:
    raise problems.DataError(str(error)) from error
  left = splits.others(everything.num_images, held)
  return Parts(
    annotated.select(everything, left),
    annotated.select(everything, held),
    everything,
    test,
  )


def _sizes(parts: Parts) -> dict[str, int]:
  named = {"train": parts.train, "valid": parts.valid, "test": parts.test}
  return {name: x.num_images for name, x in named.items() if x}


def _digest(parts: Parts) -> str:
  return identity.digest((parts.everything, parts.test))


def _prepared(config, encoder, parts: Parts) -> training.Run:
  """The task, with an encoder that has weights."""
  if encoder.variables is None:
    images = _some_images(parts.train, encoder.image_px)
    key = jax.random.key(config.seed)
    drawn = encoders.draw(encoder.spec, key, images)
    encoder = encoder._replace(variables=drawn)
  task = TASKS[config.protocol].make(config, encoder.spec)
  return training.Run(config, task, encoder)


def _some_images(source: annotated.AnnotatedSource, image_px: int):
  """A few training pictures, the same on every host."""
  count = min(_MAX_DRAWN, source.num_images)
  chosen = np.linspace(0, source.num_images - 1, count).astype(int)
  images = [source.read(int(position))[0] for position in chosen]
  return np.stack([pictures.centre_square(x, 1.0, image_px) for x in images])


def _train_and_test(
  run_of: training.Run, parts: Parts, folder: str
) -> dict[str, Any]:
  """Chooses the rate where there are several, trains, tests and draws."""
  config, task = run_of.config, run_of.task
  chosen, candidates = {}, []
  rate, place = config.optimizer.learning_rates[0], "train"
  if parts.valid:
    candidates = _candidates(run_of, parts, folder)
    best = max(candidates, key=lambda x: _rank(x["valid_score"], task))
    if best["valid_score"] == "diverged":
      raise ValueError(
        "Every rate of the sweep diverged: lower optimizer.learning_rates="
        f"{config.optimizer.learning_rates}."
      )
    rate, chosen = best["learning_rate"], best
  data = training.Data(parts.everything, None)
  state = training.train(run_of, data, rate, os.path.join(folder, place))
  variables = update.variables(state)
  scores = task.evaluate(variables, parts.test)
  if config.evaluation.pictures:
    task.draw(variables, parts.test, os.path.join(folder, _OVERLAYS))
  steps = {"learning_rate": rate, "steps": config.training.num_steps}
  return {
    "metric": task.metric,
    "scores": dict(scores),
    "chosen": {**steps, **chosen},
    "candidates": candidates,
    "checkpoint": f"{os.path.basename(folder)}/{place}",
  }


def _candidates(
  run_of: training.Run, parts: Parts, folder: str
) -> list[dict[str, Any]]:
  """Each rate and its score on the held-out part."""
  return [
    {
      "learning_rate": rate,
      "valid_score": _valid_score(run_of, parts, rate, folder),
    }
    for rate in run_of.config.optimizer.learning_rates
  ]


def _valid_score(
  run_of: training.Run, parts: Parts, rate: float, folder: str
) -> float | str:
  """A rate's score on the held-out part, or that of an earlier time."""
  place = epath.Path(folder) / f"rate_{rate:g}"
  done = place / "valid.json"
  score = intact.read(done)
  if parallel.everywhere(_is_score(score)).all():
    return score
  active = parallel.host() == 0
  records.say(f"Training {place.name}.", active)
  data = training.Data(parts.train, parts.valid)
  try:
    state = training.train(run_of, data, rate, str(place))
  except FloatingPointError as error:
    records.say(f"{place.name} diverged: {error}", active)
    score = "diverged"
  else:
    variables = update.variables(state)
    score = run_of.task.evaluate(variables, parts.valid)[run_of.task.metric]
  if active:
    place.mkdir(parents=True, exist_ok=True)
    intact.write_whole(json.dumps(score), done)
  return score


def _is_score(found: Any) -> bool:
  """Whether a file has what a rate leaves."""
  return found == "diverged" or (type(found) is float and math.isfinite(found))


def _rank(score: float | str, task) -> float:
  if score == "diverged":
    return -math.inf
  return score if task.higher_is_better else -score
