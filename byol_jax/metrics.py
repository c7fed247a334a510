"""Scores and statistics, pure."""

import chex
import jax
import jax.numpy as jnp

from byol_jax.types import Metrics


def in_top_k(logits: chex.Array, labels: chex.Array, k: int) -> chex.Array:
  """Whether the labelled class is among the k highest logits.

  Among equal logits the lower class number counts as higher, so a constant
  classifier is not right about everything.

  Args:
    logits: [batch, classes].
    labels: [batch] int32 in [0, classes).
    k: 1 or more; k >= classes is always right.

  Returns:
    [batch] bool.
  """
  chex.assert_rank((logits, labels), (2, 1))
  own = jnp.take_along_axis(logits, labels[:, None], axis=-1)
  earlier = jnp.arange(logits.shape[-1])[None, :] < labels[:, None]
  above = (logits > own) | ((logits == own) & earlier)
  return jnp.sum(above, axis=-1) < k


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
