"""Scores of a classifier's logits by the metric of a data set."""

import numpy as np

from byol_jax import metrics

METRICS = ("top1", "mean_per_class", "map11")
# Top-5 says nothing where it is almost always right.
_MIN_CLASSES = 6


def scores(
  logits: np.ndarray, labels: np.ndarray, metric: str
) -> dict[str, float]:
  """Scores of a whole split, shares in [0, 1].

  Args:
    logits: [n, classes].
    labels: [n] int32; for "map11" [n, classes] of 1, 0 and -1 (left out).
    metric: "top1", "mean_per_class" (paper, "Transfer": pets, flowers and
      others) or "map11" (11-point mean average precision, VOC2007).

  Returns:
    The metric's value by its name; beside "mean_per_class" also "top1", and
    with six classes or more "top5".
  """
  if metric == "map11":
    return {metric: float(metrics.mean_average_precision_11(logits, labels))}
  right = np.asarray(metrics.in_top_k(logits, labels, 1))
  found = {"top1": float(np.mean(right))}
  if metric == "mean_per_class":
    classes = logits.shape[1]
    found[metric] = float(metrics.mean_per_class(right, labels, classes))
  if logits.shape[1] >= _MIN_CLASSES:
    found["top5"] = float(np.mean(metrics.in_top_k(logits, labels, 5)))
  return {metric: found.pop(metric), **found}
