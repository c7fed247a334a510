"""Linear evaluation, fine-tuning, supervised training: sweep, choose, test."""

import itertools
import json
import math
from typing import Any, NamedTuple

import ml_collections
import numpy as np
from etils import epath

from byol_jax import (
  checkpoint,
  classify,
  encoders,
  intact,
  labelled,
  parallel,
  records,
)
from byol_jax.data import sources
from byol_jax.evaluation import (
  classifier,
  linear_classifier,
  recipe,
  subject,
)
from byol_jax.evaluation.feed import Split, Trainer


class Candidate(NamedTuple):
  """One head of one point, as it did on the validation part.

  Attributes:
    point: what was trained.
    head: its number in the point.
    score: on the validation part, a share in [0, 1]; below 0 if it diverged.
  """

  point: recipe.Point
  head: int
  score: float


def run(
  config: ml_collections.ConfigDict,
  tested: subject.Subject,
  workdir: str,
  name: str,
) -> dict[str, Any]:
  """Trains every point, chooses on the validation part, scores on the test.

  Points that are done are skipped, so that a sweep that was stopped goes on.

  Args:
    config: a validated config of the protocol `classify`.
    tested: encoder and data.
    workdir: where results go.
    name: of the sub-folder for the points of this config, encoder and data.

  Returns:
    `scores` (of the test part), `chosen`, `candidates`, and the places of
    `checkpoint` and `classifier` in the workdir.

  Raises:
    ValueError: fewer pictures than a batch, the parts cannot be joined for the
      last fit, or every point diverged.
  """
  trainer, folder = Trainer(config, tested), str(epath.Path(workdir) / name)
  everything = tested.parts.train
  if config.training.refit:
    # First, since it may not be possible.
    everything = labelled.combined(tested.parts)
  train, valid = (
    _split(trainer, part) for part in (tested.parts.train, tested.parts.valid)
  )
  candidates = []
  for point in points(config):
    scores = _valid_scores(trainer, point, (train, valid), folder)
    candidates += [Candidate(point, *pair) for pair in enumerate(scores)]
  best = max(candidates, key=lambda candidate: candidate.score)
  if best.score < 0:
    raise ValueError(
      "Every point of the sweep diverged: lower optimizer.learning_rates="
      f"{config.optimizer.learning_rates}."
    )
  head, place = best.head, _place(folder, best.point)
  if config.training.refit:
    head, place = 0, epath.Path(folder) / "refit"
    state = _refit(trainer, best, everything, place)
  else:
    state = classifier.train(trainer, best.point, train, None, str(place))
  _remove_others(trainer, best, folder)
  test = _split(trainer, tested.parts.test)
  linear_classifier.write(_classifier(tested, state, head), folder)
  return {
    "scores": classifier.score(trainer, state, test)[head],
    "chosen": _described(config, best),
    "candidates": [_described(config, candidate) for candidate in candidates],
    "checkpoint": f"{name}/{place.name}",
    "classifier": f"{name}/{linear_classifier.FILE}",
  }


def describe(config: ml_collections.ConfigDict, num_images: int) -> str:
  """What is trained, for `--dry_run`.

  Args:
    config: a validated config of the protocol `classify`.
    num_images: to train on.

  Raises:
    ValueError: fewer pictures than a batch, or no steps after the warm-up.
  """
  grid = points(config)
  steps = sum(recipe.plan(config, x, num_images).num_steps for x in grid)
  heads = len(grid[0].learning_rates)
  return f"{len(grid)} trainings of {heads} classifiers, {steps:,} steps in all"


def points(config: ml_collections.ConfigDict) -> list[recipe.Point]:
  """The sweep: with a frozen encoder all rates train side by side."""
  rates = [(rate,) for rate in config.optimizer.learning_rates]
  if config.training.frozen:
    rates = [tuple(config.optimizer.learning_rates)]
  epochs = config.training.num_epochs
  if config.training.num_steps:
    epochs = (0.0,)
  grid = itertools.product(rates, config.optimizer.weight_decays, epochs)
  return [recipe.Point(*values) for values in grid]


def _split(trainer: Trainer, source: sources.Source) -> Split:
  """A part, with its features if pictures are always shown alike."""
  if trainer.config.augment.kind != "none":
    return Split(source, None)
  return Split(source, subject.represent(trainer.tested, source))


def _valid_scores(
  trainer: Trainer,
  point: recipe.Point,
  splits: tuple[Split, Split],
  folder: str,
) -> list[float]:
  """Each head's score on the validation part; -1 for what diverged."""
  place = _place(folder, point)
  done = place / "valid.json"
  scores = intact.read(done)
  if parallel.everywhere(_are_scores(scores, point)).all():
    return scores
  active = parallel.host() == 0
  train, valid = splits
  records.say(f"Training {place.name}.", active)
  try:
    state = classifier.train(trainer, point, train, valid, str(place))
  except FloatingPointError as error:
    records.say(f"{place.name} diverged: {error}", active)
    scores = [-1.0] * len(point.learning_rates)
  else:
    metric = trainer.config.data.metric
    rows = classifier.score(trainer, state, valid)
    scores = [row[metric] for row in rows]
  if active:
    place.mkdir(parents=True, exist_ok=True)
    intact.write_whole(json.dumps(scores), done)
  return scores


def _are_scores(found: Any, point: recipe.Point) -> bool:
  """Whether a file has one finite number for each head of a point."""
  if not isinstance(found, list) or len(found) != len(point.learning_rates):
    return False
  return all(type(score) is float and math.isfinite(score) for score in found)


def _refit(
  trainer: Trainer, best: Candidate, everything: sources.Source, place
) -> classify.State:
  """Trains the chosen head anew on the training and the validation part."""
  rate = best.point.learning_rates[best.head]
  point = best.point._replace(learning_rates=(rate,))
  both = _split(trainer, everything)
  return classifier.train(trainer, point, both, None, str(place))


def _classifier(
  tested: subject.Subject, state: classify.State, head: int
) -> linear_classifier.LinearClassifier:
  heads = parallel.first(state.heads)
  # Of features that are computed once, the state has no encoder.
  encoder = parallel.first(state.encoder) or tested.encoder.variables
  return linear_classifier.LinearClassifier(
    w=np.asarray(heads["w"][head]),
    b=np.asarray(heads["b"][head]),
    class_names=tuple(tested.parts.class_names),
    encoder=encoders.fingerprint(encoder),
  )


def _remove_others(trainer: Trainer, best: Candidate, folder: str) -> None:
  """Frees the disk of what was not chosen; its scores stay."""
  if parallel.host():
    return
  for point in points(trainer.config):
    spent = _place(folder, point) / checkpoint.FOLDER
    kept = point == best.point and not trainer.config.training.refit
    if spent.exists() and not kept:
      spent.rmtree()


def _place(folder: str, point: recipe.Point) -> epath.Path:
  """A folder that no other point of a sweep has."""
  rates = "_".join(f"{rate:g}" for rate in point.learning_rates)
  name = (
    f"rate_{rates}_decay_{point.weight_decay:g}_epochs_{point.num_epochs:g}"
  )
  return epath.Path(folder) / name


def _described(
  config: ml_collections.ConfigDict, candidate: Candidate
) -> dict[str, Any]:
  point, steps = candidate.point, config.training.num_steps
  length = {"steps": steps} if steps else {"epochs": point.num_epochs}
  return {
    "learning_rate": point.learning_rates[candidate.head],
    "weight_decay": point.weight_decay,
    **length,
    "valid_score": candidate.score if candidate.score >= 0 else "diverged",
  }
