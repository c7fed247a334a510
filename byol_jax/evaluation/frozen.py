"""Protocols on features that are computed once: k-NN, logistic regression."""

import os
from typing import Any

import ml_collections

from byol_jax import encoders
from byol_jax.evaluation import knn, linear_classifier, logistic, subject


def run_knn(
  config: ml_collections.ConfigDict, tested: subject.Subject
) -> dict[str, Any]:
  """Lets the nearest training pictures of each test picture vote.

  Args:
    config: a validated config of the protocol `knn`.
    tested: encoder and data.

  Returns:
    `scores` of the test part for every number of neighbours.
  """
  parts = tested.parts
  bank, test = (subject.represent(tested, x) for x in (parts.train, parts.test))
  settings = knn.Settings(config.knn.neighbours, config.knn.temperature)
  return {"scores": knn.scores(bank, test, len(parts.class_names), settings)}


def run_logistic(
  config: ml_collections.ConfigDict,
  tested: subject.Subject,
  workdir: str,
  name: str,
) -> dict[str, Any]:
  """Fits regularised logistic regressions (paper, "Linear transfer").

  Args:
    config: a validated config of the protocol `logistic`.
    tested: encoder and data.
    workdir: where results go.
    name: of the sub-folder for this config, encoder and data.

  Returns:
    `scores` of the test part, `chosen`, `candidates`, and `classifier`, the
    place in the workdir.

  Raises:
    OSError: the classifier cannot be written.
  """
  parts = tested.parts
  found = logistic.score(
    *(
      subject.represent(tested, part)
      for part in (parts.train, parts.valid, parts.test)
    ),
    logistic.Settings(
      num_classes=len(parts.class_names),
      metric=parts.metric,
      strengths=config.logistic.strengths,
      num_strengths=config.logistic.num_strengths,
    ),
  )
  linear_classifier.write(
    linear_classifier.LinearClassifier(
      *found.classifier,
      class_names=tuple(parts.class_names),
      encoder=encoders.fingerprint(tested.encoder.variables),
    ),
    os.path.join(workdir, name),
  )
  return {
    "scores": found.test_scores,
    "chosen": {
      "strength": found.strength,
      "valid_score": found.valid_score,
      "converged": found.converged,
    },
    "candidates": [candidate._asdict() for candidate in found.candidates],
    "classifier": f"{name}/{linear_classifier.FILE}",
  }
