"""Scores of a segmentation, from counts of pixels."""

from collections.abc import Mapping

import chex
import jax.numpy as jnp
import numpy as np


def counts(
  predicted: chex.Array, truth: chex.Array, num_classes: int, void: int
) -> chex.Array:
  """How many pixels of each class are taken for each class.

  Args:
    predicted: [...] int32 in [0, num_classes).
    truth: the same shape, integers in [0, num_classes), or `void`.
    num_classes: without void.
    void: of pixels that do not count.

  Returns:
    [num_classes (truth), num_classes (predicted)] int32.
  """
  chex.assert_equal_shape((predicted, truth))
  truth = truth.astype(jnp.int32)
  cells = jnp.where(
    truth == void, num_classes**2, truth * num_classes + predicted
  )
  # The last one takes what does not count.
  found = jnp.bincount(cells.reshape(-1), length=num_classes**2 + 1)
  return found[:-1].reshape(num_classes, num_classes).astype(jnp.int32)


def scores(confusion: np.ndarray, void: int) -> Mapping[str, float]:
  """Mean intersection over union and share of right pixels.

  Counts are of the whole data set (Pascal VOC), not averaged over pictures.

  Args:
    confusion: [num_classes, num_classes] integers, as `counts` sums up to.
    void: as `counts`; below num_classes it has a row and a column, but it is no
      class: whoever predicts it misses the pixel's own.

  Returns:
    `miou`, mean over the classes that are in the truth or predicted anywhere,
    and `pixel_accuracy`, shares in [0, 1].

  Raises:
    ValueError: no pixel counts.
  """
  confusion = np.asarray(confusion, np.float64)
  if not confusion.sum():
    raise ValueError("no pixel of the test part has a class: all are void.")
  return {
    "miou": float(np.mean(list(overlaps(confusion, void).values()))),
    "pixel_accuracy": float(np.trace(confusion) / confusion.sum()),
  }


def overlaps(confusion: np.ndarray, void: int) -> Mapping[int, float]:
  """Intersection over union of each class that is in the truth or predicted.

  Args:
    confusion: as in `scores`.
    void: as in `scores`.

  Returns:
    Class numbers to shares in [0, 1].
  """
  confusion = np.asarray(confusion, np.float64)
  right = np.diag(confusion)
  union = confusion.sum(axis=0) + confusion.sum(axis=1) - right
  there = (union > 0) & (np.arange(len(union)) != void)
  return {int(i): float(right[i] / union[i]) for i in np.flatnonzero(there)}
