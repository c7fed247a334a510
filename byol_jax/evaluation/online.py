"""What is measured while a network trains: classifier, k-NN, rank."""

from typing import NamedTuple

import numpy as np

from byol_jax import metrics
from byol_jax.evaluation import knn
from byol_jax.evaluation.features import Features

# Pictures for the effective rank: its cost grows with their number.
MAX_RANK_IMAGES = 2000


class KNN(NamedTuple):
  """Settings of the nearest-neighbour classifier.

  Attributes:
    num_neighbours: how many vote.
    temperature: of the votes' weights.
  """

  num_neighbours: int
  temperature: float


def scores(
  test: Features, bank: Features | None, num_classes: int, settings: KNN
) -> dict[str, float]:
  """Scores a network's features of the test pictures.

  Args:
    test: features of the test split.
    bank: features of training pictures, None for no k-NN.
    num_classes: 0 when unlabelled, then only the rank is given.
    settings: of the k-NN.

  Returns:
    `test_top1` and `test_top5` of the online classifier and `test_knn_top1`,
    shares in [0, 1], as far as they exist; `test_effective_rank`, directions.
  """
  found = {}
  if num_classes and test.logits.size:
    for k in (1, 5):
      right = metrics.in_top_k(test.logits, test.labels, k)
      found[f"test_top{k}"] = float(np.mean(right))
  if num_classes and bank is not None:
    found["test_knn_top1"] = knn_top1(test, bank, num_classes, settings)
  some = test.representation[:MAX_RANK_IMAGES]
  found["test_effective_rank"] = float(metrics.effective_rank(some))
  return found


def knn_top1(
  test: Features, bank: Features, num_classes: int, settings: KNN
) -> float:
  """Share of test pictures whose nearest training pictures vote right."""
  chosen = knn.Settings((settings.num_neighbours,), settings.temperature)
  found = knn.scores(bank, test, num_classes, chosen)
  return found[f"top1_k{settings.num_neighbours}"]
