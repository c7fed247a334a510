"""Scores and statistics, pure."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from byol_jax.types import Metrics


def in_top_k(logits: chex.Array, labels: chex.Array, k: int) -> chex.Array:
  """Whether the labelled class is among the k highest logits.

  Among equal logits the lower class number counts as higher, so a constant
  classifier is not right about everything; NaN counts as higher than any
  number, and is never right itself, so a diverged one is not either.

  Args:
    logits: [batch, classes].
    labels: [batch] int32 in [0, classes).
    k: 1 or more; k >= classes is always right, but for NaN.

  Returns:
    [batch] bool.
  """
  chex.assert_rank((logits, labels), (2, 1))
  own = jnp.take_along_axis(logits, labels[:, None], axis=-1)
  earlier = jnp.arange(logits.shape[-1])[None, :] < labels[:, None]
  not_above = (logits < own) | ((logits == own) & ~earlier)
  return (jnp.sum(~not_above, axis=-1) < k) & ~jnp.isnan(own[:, 0])


def mean_per_class(
  right: chex.Array, labels: chex.Array, num_classes: int
) -> float:
  """Accuracy of each class, averaged over the classes that have examples.

  Args:
    right: [n] bool, or float shares in [0, 1].
    labels: [n] int in [0, num_classes).
    num_classes: above every label.

  Returns:
    A share in [0, 1]; frequent and rare classes weigh the same.

  Raises:
    ValueError: no examples, a label outside the range, or other lengths.
  """
  right, labels = np.asarray(right, np.float64), np.asarray(labels)
  if right.shape != labels.shape:
    raise ValueError(
      f"Wanted as many labels as answers, got {labels.shape}, {right.shape}."
    )
  if not labels.size:
    raise ValueError("Wanted at least one example, got none.")
  outside = labels[(labels < 0) | (labels >= num_classes)]
  if outside.size:
    raise ValueError(f"Labels must be in [0, {num_classes}), got {outside[0]}.")
  counts = np.bincount(labels, minlength=num_classes)
  sums = np.bincount(labels, weights=right, minlength=num_classes)
  return float(np.mean(sums[counts > 0] / counts[counts > 0]))


def average_precision_11(scores: chex.Array, labels: chex.Array) -> float:
  """The 11-point interpolated average precision of PASCAL VOC 2007.

  The mean over the recalls 0, 0.1, ..., 1 of the highest precision at that
  recall or above. Equal scores are taken or left together, so the order of the
  rows does not matter.

  Args:
    scores: [n] higher for more likely; NaN counts as the lowest.
    labels: [n] int: 1 present, 0 absent, -1 left out (VOC's "difficult").

  Returns:
    A share in [0, 1].

  Raises:
    ValueError: no positive example, another label, or other lengths.
  """
  scores, labels = np.asarray(scores), np.asarray(labels)
  _check_relevance(scores, labels)
  scores = np.where(np.isnan(scores), -np.inf, scores)[labels >= 0]
  positive = labels[labels >= 0]
  order = np.argsort(-scores, kind="stable")
  found = np.cumsum(positive[order])
  taken = np.arange(1, len(order) + 1)
  # Rows of equal score share one threshold, that of the last of them.
  last = np.append(scores[order][1:] != scores[order][:-1], True)
  found, taken = found[last], taken[last]
  precision = found / taken
  # In integers: three of ten is a recall of 0.3, which floats may deny.
  reached = [10 * found >= tenths * found[-1] for tenths in range(11)]
  return float(np.mean([np.max(precision[enough]) for enough in reached]))


def mean_average_precision_11(scores: chex.Array, labels: chex.Array) -> float:
  """`average_precision_11` averaged over classes that have a positive example.

  Args:
    scores: [n, num_classes] higher for more likely.
    labels: [n, num_classes] int: 1 present, 0 absent, -1 left out.

  Returns:
    A share in [0, 1].

  Raises:
    ValueError: no positive example, another label, or other shapes.
  """
  scores, labels = np.asarray(scores), np.asarray(labels)
  _check_relevance(scores, labels)
  seen = np.flatnonzero(np.any(labels == 1, axis=0))
  return float(
    np.mean([average_precision_11(scores[:, c], labels[:, c]) for c in seen])
  )


def _check_relevance(scores: np.ndarray, labels: np.ndarray) -> None:
  if scores.shape != labels.shape:
    raise ValueError(
      f"Scores and labels must have one shape, got {scores.shape} and"
      f" {labels.shape}."
    )
  other = labels[(labels < -1) | (labels > 1)]
  if other.size:
    raise ValueError(f"Labels must be 1, 0 or -1, got {other[0]}.")
  if not np.any(labels == 1):
    raise ValueError("Average precision needs a positive example, got none.")


def collapse_statistics(
  unit1: chex.Array, unit2: chex.Array, axis_name: str
) -> Metrics:
  """How far the projections are from having become one vector.

  Args:
    unit1: [batch, dim] projections of view 1, of length 1.
    unit2: [batch, dim] projections of view 2, of length 1.
    axis_name: mapped axis over which the batch is spread.

  Returns:
    `projection_std`: standard deviation of a dimension over the whole batch,
    averaged over dimensions, times sqrt(dim): 1 is ideal, 0 is collapse.
    `view_cosine`: mean cosine of the two views of a picture.
    `image_cosine`: mean cosine of different pictures' first views.
  """
  chex.assert_equal_shape((unit1, unit2))
  batch, dim = unit1.shape
  mean, square = jax.lax.pmean(
    (jnp.mean(unit1, axis=0), jnp.mean(jnp.square(unit1), axis=0)), axis_name
  )
  std = jnp.sqrt(jnp.maximum(square - jnp.square(mean), 0.0))
  total = batch * jax.lax.psum(1, axis_name)
  # The squared length of a mean is the mean cosine of all ordered pairs, the
  # `total` pairs of a picture with itself (cosine 1) included.
  pairs = total * jnp.sum(jnp.square(mean)) - jnp.sum(square)
  return {
    "projection_std": jnp.mean(std) * jnp.sqrt(dim),
    "view_cosine": jnp.mean(jnp.sum(unit1 * unit2, axis=-1)),
    "image_cosine": pairs / max(total - 1, 1),
  }


def effective_rank(features: chex.Array) -> chex.Array:
  """Number of directions that a representation uses.

  The exponential of the entropy of the normalised singular values of the
  centred features (Roy and Vetterli 2007).

  Args:
    features: [num_images, dim].

  Returns:
    A scalar in [1, min(num_images, dim)]; 0 if all features are equal.
  """
  centred = features - jnp.mean(features, axis=0, keepdims=True)
  values = jnp.linalg.svd(centred, compute_uv=False)
  total = jnp.sum(values)
  share = values / jnp.where(total > 0.0, total, 1.0)
  entropy = -jnp.sum(share * jnp.log(jnp.where(share > 0.0, share, 1.0)))
  return jnp.where(total > 0.0, jnp.exp(entropy), 0.0)
