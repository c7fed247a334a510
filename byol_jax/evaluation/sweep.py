"""Linear evaluation, fine-tuning, supervised training: sweep, choose, test."""

import itertools
import json
from typing import Any, NamedTuple

import ml_collections
from etils import epath

from byol_jax import classify, labelled, parallel, records
from byol_jax.data import sources
from byol_jax.evaluation import classifier, subject
from byol_jax.evaluation.classifier import Point, Split, Trainer


class Candidate(NamedTuple):
  """One head of one point, as it did on the validation part.

  Attributes:
    point: what was trained.
    head: its number in the point.
    score: on the validation part, a share in [0, 1]; below 0 if it diverged.
  """

  point: Point
  head: int
  score: float


def run(
  config: ml_collections.ConfigDict, tested: subject.Subject, folder: str
) -> dict[str, Any]:
  """Trains every point, chooses on the validation part, scores on the test.

  Points that are done are skipped, so that a sweep that was stopped goes on.

  Args:
    config: a validated config of the protocol `classify`.
    tested: encoder and data.
    folder: a sub-folder for each point; belongs to this config and encoder.

  Returns:
    `scores` (of the test part), `chosen`, `candidates`.

  Raises:
    ValueError: fewer pictures than a batch, or every point diverged.
  """
  trainer = Trainer(config, tested)
  parts = tested.parts
  train, valid = (_split(trainer, x) for x in (parts.train, parts.valid))
  candidates = []
  for point in points(config):
    found = _valid_scores(trainer, point, train, valid, folder)
    candidates += [
      Candidate(point, head, score) for head, score in enumerate(found)
    ]
  best = max(candidates, key=lambda candidate: candidate.score)
  if best.score < 0:
    raise ValueError(
      "Every point of the sweep diverged: lower optimizer.learning_rates="
      f"{config.optimizer.learning_rates}."
    )
  head, state = best.head, None
  if config.training.refit:
    head, state = 0, _refit(trainer, best, folder)
  else:
    place = epath.Path(folder) / _name(best.point)
    state = classifier.train(trainer, best.point, train, None, str(place))
  test = _split(trainer, parts.test)
  return {
    "scores": classifier.score(trainer, state, test)[head],
    "chosen": _described(best),
    "candidates": [_described(candidate) for candidate in candidates],
  }


def points(config: ml_collections.ConfigDict) -> list[Point]:
  """The sweep: with a frozen encoder all rates train side by side."""
  rates = [(rate,) for rate in config.optimizer.learning_rates]
  if config.training.frozen:
    rates = [tuple(config.optimizer.learning_rates)]
  epochs = config.training.num_epochs
  if config.training.num_steps:
    epochs = (0.0,)
  grid = itertools.product(rates, config.optimizer.weight_decays, epochs)
  return [Point(*values) for values in grid]


def _split(trainer: Trainer, source: sources.Source) -> Split:
  """A part, with its features if pictures are always shown alike."""
  if trainer.config.augment.kind != "none":
    return Split(source, None)
  return Split(source, subject.represent(trainer.tested, source))


def _valid_scores(
  trainer: Trainer, point: Point, train: Split, valid: Split, folder: str
) -> list[float]:
  """Each head's score on the validation part; -1 for what diverged."""
  place = epath.Path(folder) / _name(point)
  done = place / "valid.json"
  if parallel.everywhere(done.exists())[0]:
    return json.loads(done.read_text())
  active = parallel.host() == 0
  records.say(f"Sweep: {_name(point)}.", active)
  try:
    state = classifier.train(trainer, point, train, valid, str(place))
  except FloatingPointError as error:
    records.say(f"{_name(point)} diverged: {error}", active)
    scores = [-1.0] * len(point.learning_rates)
  else:
    metric = trainer.config.data.metric
    rows = classifier.score(trainer, state, valid)
    scores = [row[metric] for row in rows]
  if active:
    place.mkdir(parents=True, exist_ok=True)
    records.write_whole(json.dumps(scores), done)
  return scores


def _refit(trainer: Trainer, best: Candidate, folder: str) -> classify.State:
  """Trains the chosen head anew on the training and the validation part."""
  rate = best.point.learning_rates[best.head]
  point = best.point._replace(learning_rates=(rate,))
  both = _split(trainer, labelled.combined(trainer.tested.parts))
  place = epath.Path(folder) / f"refit_{_name(point)}"
  return classifier.train(trainer, point, both, None, str(place))


def _name(point: Point) -> str:
  """A folder's name that no other point of a sweep has."""
  rates = "_".join(f"{rate:g}" for rate in point.learning_rates)
  return (
    f"rate_{rates}_decay_{point.weight_decay:g}_epochs_{point.num_epochs:g}"
  )


def _described(candidate: Candidate) -> dict[str, Any]:
  point = candidate.point
  return {
    "learning_rate": point.learning_rates[candidate.head],
    "weight_decay": point.weight_decay,
    "num_epochs": point.num_epochs,
    "valid_score": candidate.score if candidate.score >= 0 else "diverged",
  }
