"""Command lines of the runs, and the folders that they write to."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import location, plan, scales

_TRAINED = "trained"
FOLDER, TFDS = "folder", "TFDS"


class Place(NamedTuple):
  """Where things are.

  Attributes:
    scale: of the runs.
    data: the value of `--data`.
    runs: folder of the runs of all scales.
  """

  scale: scales.Scale
  data: str
  runs: str


def kind_of_data(place: Place) -> str:
  """Whether data is a "folder" or "TFDS"; their results are not mixed."""
  return FOLDER if place.data and place.scale.folder else TFDS


def folder(run: plan.Pretraining | plan.Evaluation, place: Place) -> str:
  """The workdir of a run; an evaluation's lies in its encoder's."""
  root = os.path.join(place.runs, place.scale.name)
  name = plan.digest(run, with_presets=True)
  if place.scale.folder and kind_of_data(place) == TFDS:
    name += "_tfds"  # The same pictures, but in another order.
  if isinstance(run, plan.Pretraining):
    return os.path.join(root, name)
  if run.encoder == _TRAINED:
    root = folder(run.pretraining, place)
    return os.path.join(root, "eval", f"{run.name}_{name}")
  return os.path.join(root, f"{run.encoder}_{name}")


def pretraining(run: plan.Pretraining, place: Place) -> list[str]:
  """Arguments of `python`.

  Args:
    run: to be trained.
    place: where.

  Raises:
    ValueError: the data is not where `--data` says.
  """
  settings = {
    **dict(run.changes),
    "seed": run.seed,
    **_location(run, place),
  }
  return _main(run.config, settings, folder(run, place))


def evaluation(run: plan.Evaluation, place: Place) -> list[str]:
  """Arguments of `python`.

  The seed of an encoder that was trained is in its weights; all of them are
  scored on the same data.

  Args:
    run: to be evaluated.
    place: where.

  Raises:
    ValueError: the data is not where `--data` says.
  """
  encoder, seed = run.encoder, run.pretraining.seed
  settings = {
    **dict(run.changes),
    **_location(run, place),
    "encoder": encoder,
  }
  if encoder == _TRAINED:
    settings["encoder"] = folder(run.pretraining, place)
  else:
    settings["seed"] = seed
  return _main(run.config, settings, folder(run, place))


def program(arguments: Sequence[str]) -> list[str]:
  """A command for this Python."""
  return [sys.executable, *arguments]


def _location(run: plan.Pretraining | plan.Evaluation, place: Place):
  config = plan.built(run.config, run.changes)
  return location.settings(place.scale, place.data, config)


def _main(config: str, settings: Mapping[str, Any], workdir: str) -> list[str]:
  changes = [f"--config.{key}={_text(x)}" for key, x in settings.items()]
  return [
    "-m",
    "byol_jax.main",
    f"--config={config}",
    *changes,
    f"--workdir={workdir}",
  ]


def _text(value: Any) -> str:
  """A value as a flag has it."""
  return value if isinstance(value, str) else repr(value)
