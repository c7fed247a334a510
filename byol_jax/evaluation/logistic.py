"""Logistic regression on frozen features: the paper's linear transfer.

Strengths of the penalty count as in `byol_jax.logistic`: the loss is a sum over
pictures, so scikit-learn's C is 1 / strength.
"""

import logging
from typing import NamedTuple

import numpy as np

from byol_jax import logistic
from byol_jax.evaluation import scoring
from byol_jax.evaluation.features import Features


class Settings(NamedTuple):
  """What is tried and what counts.

  Attributes:
    num_classes: width of the classifier.
    metric: "top1", "mean_per_class" or "map11", the last for labels [n,
      num_classes], the others for [n].
    strengths: weakest and strongest penalty, both above 0.
    num_strengths: tried between them, spread evenly in the logarithm.
    limits: when the fit of one strength ends.
  """

  num_classes: int
  metric: str
  strengths: tuple[float, float] = (1e-6, 1e5)
  num_strengths: int = 45
  limits: logistic.Limits = logistic.Limits()


class Candidate(NamedTuple):
  """One strength, fitted to the training pictures.

  Attributes:
    strength: of the penalty.
    valid_score: the metric on the validation pictures, in [0, 1].
    converged: whether the gradient became as small as wanted.
  """

  strength: float
  valid_score: float
  converged: bool


class Result(NamedTuple):
  """What the protocol gives.

  Attributes:
    strength: the chosen one.
    valid_score: of it, before the refit.
    test_scores: after the refit, as `scoring.scores`.
    converged: whether the refit did.
    candidates: all strengths, the weakest first.
    classifier: of the refit, weights [dim, classes] and biases [classes].
  """

  strength: float
  valid_score: float
  test_scores: dict[str, float]
  converged: bool
  candidates: tuple[Candidate, ...]
  classifier: tuple[np.ndarray, np.ndarray]


def score(
  train: Features, valid: Features, test: Features, settings: Settings
) -> Result:
  """Chooses a strength on valid, refits on train and valid, scores on test.

  Of equally good strengths the strongest is chosen.

  Args:
    train: labelled features.
    valid: labelled features.
    test: labelled features.
    settings: what is tried.

  Returns:
    Scores and how they came about.

  Raises:
    ValueError: a part has no pictures, no labels, or labels of another kind.
  """
  for name, part in (("train", train), ("valid", valid), ("test", test)):
    _check(name, part, settings)
  candidates = _candidates(train, valid, settings)
  best = max(candidates, key=lambda x: (x.valid_score, x.strength))
  if best.strength in (candidates[0].strength, candidates[-1].strength):
    logging.warning(
      "The best penalty, %g, is at the end of the range %g to %g.",
      best.strength,
      *settings.strengths,
    )
  both = Features(*map(np.concatenate, zip(train, valid, strict=True)))
  # Down the path again: from nothing a weak penalty takes many more steps.
  path = [x.strength for x in candidates if x.strength >= best.strength]
  found = _fit(both, path, settings)
  scores = _score(found, 0, test, settings)
  converged = found.gradient_norms[0] <= settings.limits.tolerance
  if not converged:
    logging.warning("The fit at penalty %g has not converged.", best.strength)
  return Result(
    strength=best.strength,
    valid_score=best.valid_score,
    test_scores=scores,
    converged=bool(converged),
    candidates=candidates,
    classifier=(found.weights[0], found.biases[0]),
  )


def _check(name, part, settings):
  wanted = (len(part.representation),)
  if settings.metric == "map11":
    wanted += (settings.num_classes,)
  if not wanted[0]:
    raise ValueError(f"Wanted pictures in each part, got none in {name}.")
  if part.labels.shape != wanted:
    raise ValueError(
      f"Wanted labels {list(wanted)} for {settings.metric}, got"
      f" {list(part.labels.shape)} in {name}."
    )


def _candidates(train, valid, settings):
  ends = np.log10(settings.strengths)
  strengths = np.logspace(*ends, settings.num_strengths)
  found = _fit(train, strengths, settings)
  return tuple(
    Candidate(
      strength=float(strength),
      valid_score=_score(found, i, valid, settings)[settings.metric],
      converged=bool(found.gradient_norms[i] <= settings.limits.tolerance),
    )
    for i, strength in enumerate(strengths)
  )


def _fit(part, strengths, settings):
  found = logistic.path(
    part.representation,
    part.labels,
    np.asarray(strengths, np.float32),
    settings.num_classes,
    settings.limits,
  )
  return logistic.Path(*map(np.asarray, found))


def _score(found, place, part, settings):
  """Scores of one classifier, by name."""
  logits = part.representation @ found.weights[place] + found.biases[place]
  return scoring.scores(logits, part.labels, settings.metric)
