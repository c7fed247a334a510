"""Command lines of the runs, and the folders that they write to."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import ml_collections

from . import configured, dense_location, location, plan, recipes, scales

_TRAINED = "trained"
FOLDER, TFDS = "folder", "TFDS"


class Place(NamedTuple):
  """Where things are.

  Attributes:
    scale: of the runs.
    data: the value of `--data`.
    runs: folder of the runs of all scales.
    pictures: the value of `--pictures`.
    dense: the value of `--dense`.
  """

  scale: scales.Scale
  data: str
  runs: str
  pictures: str = ""
  dense: str = ""


def kind_of_data(config: ml_collections.ConfigDict, place: Place) -> str:
  """Whether data is a "folder" or "TFDS"; their results are not mixed.

  Args:
    config: of what trains the encoder.
    place: where.
  """
  if config.data.source == "folder":
    return FOLDER
  return FOLDER if place.data and place.scale.folder else TFDS


def kind_of_run(run: plan.Pretraining, place: Place) -> str:
  """As `kind_of_data`, of one run."""
  return kind_of_data(configured.built(run.config, run.changes), place)


def folder(run: plan.Pretraining | plan.Evaluation, place: Place) -> str:
  """The workdir of a run; an evaluation's lies in its encoder's."""
  root = os.path.join(place.runs, place.scale.name)
  if isinstance(run, plan.Pretraining) and run.config.startswith(recipes.EVAL):
    run = plan.by_labels(run)  # Tables that score its classifier have it, too.
  name = plan.digest(run, with_presets=True)
  trainer = run if isinstance(run, plan.Pretraining) else run.pretraining
  if place.scale.folder and kind_of_run(trainer, place) == TFDS:
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
    ValueError: the data is not where the flags say.
  """
  settings = {
    **dict(run.changes),
    "seed": run.seed,
    **where(run, place),
  }
  return _main(run.config, settings, folder(run, place))


def evaluation(run: plan.Evaluation, place: Place) -> list[str]:
  """Arguments of `python`.

  The seed of an encoder that was trained is in its weights; all of them are
  scored on the same data. A seed among the changes is the evaluation's own.

  Args:
    run: to be evaluated.
    place: where.

  Raises:
    ValueError: the data is not where the flags say.
  """
  encoder, seed = run.encoder, run.pretraining.seed
  settings = {
    **dict(run.changes),
    **where(run, place),
    "encoder": encoder,
  }
  if encoder == _TRAINED:
    settings["encoder"] = folder(run.pretraining, place)
  else:
    settings["seed"] = seed
  return _main(run.config, settings, folder(run, place))


def where(
  run: plan.Pretraining | plan.Evaluation, place: Place
) -> dict[str, Any]:
  """Settings that say where the data of a run lies.

  Args:
    run: with whatever data.
    place: where.

  Raises:
    ValueError: the data is not where the flags say.
  """
  if dense_location.knows(run.config):
    return dense_location.settings(run.config, place.dense, place.data)
  config = configured.built(run.config, run.changes)
  if config.data.source == "folder":
    return location.photographs(place.pictures, config)
  return location.settings(place.scale, place.data, config)


def program(arguments: Sequence[str]) -> list[str]:
  """A command for this Python."""
  return [sys.executable, *arguments]


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
