"""From the rows and columns of an experiment to runs, each of them once."""

import functools
import hashlib
import json
import runpy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import ml_collections

from byol_jax import rules, shipped

from . import declare, scales

_TRAINED = "trained"
# What an untrained encoder of an evaluation has of a pretraining's config.
_ARCHITECTURE = "network."
# Settings that change no score.
_IRRELEVANT = ("seed", "log_every", "checkpoint.", "encoder", "like")

Settings = tuple[tuple[str, Any], ...]


class Pretraining(NamedTuple):
  """One run of pretraining, whatever tables it is in.

  Attributes:
    config: file of configs/ with its preset.
    changes: what differs from it, sorted by key; neither seed nor place.
    seed: `config.seed`.
  """

  config: str
  changes: Settings
  seed: int


class Evaluation(NamedTuple):
  """One evaluation of one encoder.

  Attributes:
    name: of the scale's evaluations.
    config: file of configs/eval with its preset.
    changes: what differs from it, sorted by key; neither seed nor place.
    encoder: "trained" or "random".
    pretraining: what trains the encoder; of others only their architecture.
  """

  name: str
  config: str
  changes: Settings
  encoder: str
  pretraining: Pretraining


class Cell(NamedTuple):
  """What one evaluation fills in: one row, for one seed.

  Attributes:
    experiment: its name.
    row: its name.
    columns: names of those that read this evaluation.
    evaluation: where the scores come from.
  """

  experiment: str
  row: str
  columns: tuple[str, ...]
  evaluation: Evaluation


def cells(
  experiment: declare.Experiment, scale: scales.Scale, seeds: Sequence[int] = ()
) -> list[Cell]:
  """Everything that an experiment measures at a scale, seed by seed.

  Args:
    experiment: its declaration.
    scale: where it is run.
    seeds: of the runs; none for those that are declared.

  Returns:
    Cells, none of rows that are only quoted or cannot be run there.

  Raises:
    ValueError: the declaration does not fit the configs.
  """
  if scale.name in experiment.missing:
    return []
  found: dict[tuple[int, str, Evaluation], list[str]] = {}
  for seed in seeds or experiment.seeds:
    for row in experiment.rows:
      if row.changes is None or scale.name in row.missing:
        continue
      if not seeds and seed not in (row.seeds or experiment.seeds):
        continue
      for column in experiment.columns:
        made = _evaluation(experiment.base, row, column, (scale, seed))
        found.setdefault((seed, row.name, made), []).append(column.name)
  return [
    Cell(experiment.name, row, tuple(columns), made)
    for (_, row, made), columns in found.items()
  ]


def digest(run: Pretraining | Evaluation, with_presets: bool = False) -> str:
  """A short text that differs for whatever makes another result.

  Where the data lies does not count, nor how an untrained encoder would train.

  Args:
    run: a pretraining or an evaluation.
    with_presets: also for another meaning of the named presets.
  """
  known: Any = run
  if isinstance(run, Evaluation) and run.encoder != _TRAINED:
    known = run._replace(pretraining=(run.pretraining.seed,), name="")
  elif isinstance(run, Evaluation):
    known = run._replace(name="")
  text = json.dumps(known, sort_keys=True)
  if with_presets:
    text += built(run.config, run.changes).to_json_best_effort()
  return hashlib.sha256(text.encode()).hexdigest()[:12]


@functools.cache
def settings(run: Evaluation) -> dict[str, Any]:
  """What a digest's presets mean at present, as JSON has it.

  Returns:
    Values by dotted key, "pretraining." or "evaluation." before it.
  """
  parts = {"evaluation": (run.config, run.changes)}
  if run.encoder == _TRAINED:
    trained = run.pretraining
    parts["pretraining"] = (trained.config, trained.changes)
  found = {
    f"{part}.{key}": value
    for part, made in parts.items()
    for key, value in rules.flatten(built(*made))
    if not key.startswith(_IRRELEVANT)
  }
  return json.loads(json.dumps(found))


def built(config: str, changes: Settings) -> ml_collections.ConfigDict:
  """A config with its changes, as `--config` and its keys would make it.

  Args:
    config: file of configs/ with its preset.
    changes: as in `Pretraining` or `Evaluation`.

  Raises:
    ValueError: the config has no such key, or no such type.
  """
  found = _load(config).copy_and_resolve_references()
  try:
    found.update_from_flattened_dict(dict(changes))
  except (KeyError, TypeError) as error:
    raise ValueError(f"{config} cannot take {changes}: {error}.") from error
  return found


def _evaluation(base, row, column, place) -> Evaluation:
  """The evaluation that fills in a column of a row."""
  scale, _ = place
  if column.evaluation not in scale.evaluations:
    raise ValueError(
      f"--scale={scale.name} has no evaluation {column.evaluation!r}; its are"
      f" {', '.join(scale.evaluations)}."
    )
  pretraining = _pretraining(scale.bases[base], row, column, place)
  encoder = column.encoder or row.encoder
  recipe = scale.evaluations[column.evaluation]
  changes = {**recipe.changes, **row.evaluation}
  if encoder != _TRAINED:
    changes |= _architecture(pretraining, recipe.config)
  return Evaluation(
    column.evaluation,
    recipe.config,
    _settings(recipe.config, changes),
    encoder,
    pretraining,
  )


def _pretraining(recipe, row, column, place) -> Pretraining:
  """The pretraining of a row in a column."""
  scale, seed = place
  wanted = {
    **row.at.get(scale.name, row.changes),
    **column.at.get(scale.name, column.changes),
  }
  changes = tuple(recipe.changes.items())
  base = dict(rules.flatten(built(recipe.config, changes)))
  for key, value in wanted.items():
    if isinstance(value, declare.Times):
      wanted[key] = _multiple(base[key], value.factor)
  return Pretraining(
    recipe.config,
    _settings(recipe.config, {**recipe.changes, **wanted}),
    seed,
  )


def _multiple(value: float, factor: float) -> float:
  """A multiple; of a count a whole one."""
  if isinstance(value, int):
    return round(value * factor)
  # Twelve digits hide that 0.3 x 0.1 is not 0.03.
  return float(f"{value * factor:.12g}")


def _settings(config: str, changes: Mapping[str, Any]) -> Settings:
  """Changes that change something, with the types that the config has."""
  known, found = dict(rules.flatten(_load(config))), []
  for key, value in sorted(changes.items()):
    if key not in known:
      raise ValueError(f"{config} has no key {key}.")
    if isinstance(known[key], (float, tuple)):
      value = type(known[key])(value)
    if value != known[key]:
      found.append((key, value))
  return tuple(found)


def _architecture(pretraining: Pretraining, config: str) -> dict[str, Any]:
  """The encoder of a pretraining, as an evaluation's config names it."""
  theirs = dict(rules.flatten(built(pretraining.config, pretraining.changes)))
  ours = dict(rules.flatten(_load(config)))
  found = {
    key: theirs[key]
    for key in ours
    if key in theirs and key.startswith(_ARCHITECTURE)
  }
  size = theirs["data.image_px"]
  return {**found, "network.image_px": size, "data.image_px": size}


@functools.cache
def _load(config: str) -> ml_collections.ConfigDict:
  """What a file of configs/ returns for a preset."""
  path, _, preset = config.partition(":")
  get_config = runpy.run_path(shipped.find_config(path))["get_config"]
  return get_config(preset) if preset else get_config()
