"""Protocols on features that are computed once: k-NN, logistic regression."""

from typing import Any

import ml_collections

from byol_jax.evaluation import knn, subject


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
