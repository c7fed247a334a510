"""From the rows and columns of an experiment to runs, each of them once."""

import functools
import hashlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from byol_jax import rules

from . import configured, declare, recipes, scales

_TRAINED, _RANDOM = "trained", "random"
# Of the one encoder that several evaluations are of.
_SEED = 0
# Settings that change no score.
_IRRELEVANT = ("seed", "log_every", "checkpoint.", "encoder", "like")


class Pretraining(NamedTuple):
  """One run that trains an encoder, whatever tables it is in.

  Attributes:
    config: file of configs/ with its preset; of an encoder that is trained by
      labels one of configs/eval.
    changes: what differs from it, sorted by key; neither seed nor place.
    seed: `config.seed`.
  """

  config: str
  changes: configured.Settings
  seed: int


class Evaluation(NamedTuple):
  """One evaluation of one encoder.

  Attributes:
    name: of the scale's evaluations.
    config: file of configs/eval with its preset.
    changes: what differs from it, sorted by key; not its place, and a seed only
      where it is not the encoder's.
    encoder: "trained" or "random".
    pretraining: what trains the encoder; of others only their architecture.
  """

  name: str
  config: str
  changes: configured.Settings
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
        made = _evaluation(experiment, row, column, (scale, seed))
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
    made = configured.built(run.config, run.changes)
    text += made.to_json_best_effort()
  return hashlib.sha256(text.encode()).hexdigest()[:12]


def seed_of(run: Evaluation) -> int:
  """The seed of a line of results: the evaluation's, if it has its own."""
  return dict(run.changes).get("seed", run.pretraining.seed)


def by_labels(run: Pretraining) -> Evaluation:
  """Supervised training as the evaluation that other tables have it as."""
  return Evaluation("", run.config, run.changes, _RANDOM, run)


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
    for key, value in rules.flatten(configured.built(*made))
    if not key.startswith(_IRRELEVANT)
  }
  return json.loads(json.dumps(found))


def _evaluation(experiment, row, column, place) -> Evaluation:
  """The evaluation that fills in a column of a row."""
  scale, seed = place
  if column.evaluation not in scale.evaluations:
    raise ValueError(
      f"--scale={scale.name} has no evaluation {column.evaluation!r}; its are"
      f" {', '.join(scale.evaluations)}."
    )
  encoder = column.encoder or row.encoder
  recipe = scale.evaluations[column.evaluation]
  changes = {**recipe.changes, **row.evaluation}
  if experiment.seeds_of == "evaluation" and encoder != _RANDOM:
    changes["seed"], seed = seed, _SEED
  pretraining = _pretraining(experiment, row, column, (scale, seed))
  if encoder == _RANDOM:
    changes |= _architecture(pretraining, recipe.config)
  elif encoder == "supervised":
    pretraining, encoder = _supervised(experiment, scale, pretraining), _TRAINED
  return Evaluation(
    column.evaluation,
    recipe.config,
    configured.changed(recipe.config, changes),
    encoder,
    pretraining,
  )


def _pretraining(experiment, row, column, place) -> Pretraining:
  """The pretraining of a row in a column."""
  scale, seed = place
  recipe = scale.bases[experiment.base]
  wanted = {
    **row.at.get(scale.name, row.changes),
    **column.at.get(scale.name, column.changes),
  }
  changes = tuple(recipe.changes.items())
  base = dict(rules.flatten(configured.built(recipe.config, changes)))
  for key, value in wanted.items():
    if isinstance(value, declare.Times):
      wanted[key] = configured.multiple(base[key], value.factor)
  return _made(recipe, wanted, seed)


def _supervised(experiment, scale, like: Pretraining) -> Pretraining:
  """What trains the same encoder by labels."""
  if experiment.base not in scale.supervised:
    raise ValueError(
      f"--scale={scale.name} trains the encoder of {experiment.base!r} by no"
      f" labels, only that of {', '.join(scale.supervised)}."
    )
  recipe = scale.supervised[experiment.base]
  return _made(recipe, _architecture(like, recipe.config), like.seed)


def _made(recipe: recipes.Recipe, changes, seed: int) -> Pretraining:
  """A recipe with further changes."""
  changes = {**recipe.changes, **changes}
  return Pretraining(
    recipe.config, configured.changed(recipe.config, changes), seed
  )


def _architecture(pretraining: Pretraining, config: str) -> dict[str, Any]:
  made = configured.built(pretraining.config, pretraining.changes)
  return configured.architecture(made, config)
