"""Chooses the learning rate of a dense task on what is held out."""

import json
import math
import os
from typing import Any

from etils import epath

from byol_jax import checkpoint, intact, parallel, records
from byol_jax.dense import division, training, update
from byol_jax.dense import task as tasks


def choose(
  run: training.Run, parts: division.Parts, folder: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
  """Trains with each rate, and scores it on the held-out part.

  Rates that are done are skipped, so that a sweep that was stopped goes on.

  Args:
    run: task and encoder.
    parts: with a held-out one.
    folder: of the trainings.

  Returns:
    The best `learning_rate` with its `valid_score`, and all of them.

  Raises:
    ValueError: every rate diverged.
    StoppedError: somebody asked for it, and everything is saved.
  """
  candidates = [
    {"learning_rate": rate, "valid_score": _score(run, parts, rate, folder)}
    for rate in run.config.optimizer.learning_rates
  ]
  best = max(candidates, key=lambda x: _rank(x["valid_score"], run.task))
  if best["valid_score"] == "diverged":
    raise ValueError(
      "Every rate of the sweep diverged: lower optimizer.learning_rates="
      f"{run.config.optimizer.learning_rates}."
    )
  return best, candidates


def _score(
  run: training.Run, parts: division.Parts, rate: float, folder: str
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
    state = training.train(run, data, rate, os.fspath(place))
  except FloatingPointError as error:
    records.say(f"{place.name} diverged: {error}", active)
    score = "diverged"
  else:
    variables = update.variables(state)
    tested = run.task.evaluate(variables, parts.valid)
    score = tested.scores[run.task.metric]
  if active:
    place.mkdir(parents=True, exist_ok=True)
    intact.write_whole(json.dumps(score), done)
    spent = place / checkpoint.FOLDER
    if spent.exists():  # The chosen rate trains anew, on all pictures.
      spent.rmtree()
  return score


def _is_score(found: Any) -> bool:
  """Whether a file has what a rate leaves."""
  return found == "diverged" or (type(found) is float and math.isfinite(found))


def _rank(score: float | str, task: tasks.Task) -> float:
  if score == "diverged":
    return -math.inf
  return score if task.higher_is_better else -score
