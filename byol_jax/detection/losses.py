"""The four losses of Faster R-CNN (arXiv 1506.01497), per picture."""

import chex
import jax.numpy as jnp
import optax

# Where the proposals' loss of displacements turns from square to absolute.
_PROPOSAL_BEND = 1.0 / 9.0
_HEAD_BEND = 1.0


def smooth_l1(
  predicted: chex.Array, wanted: chex.Array, bend: float
) -> chex.Array:
  """Sum over the last axis of |x| - bend / 2, below `bend` x^2 / (2 bend).

  Args:
    predicted: [..., k].
    wanted: [..., k].
    bend: where the two meet.

  Returns:
    [...].
  """
  chex.assert_equal_shape((predicted, wanted))
  return (
    jnp.sum(optax.huber_loss(predicted, wanted, delta=bend), axis=-1) / bend
  )


def proposal_losses(
  objectness: chex.Array,
  displacements: chex.Array,
  wanted: chex.Array,
  positive: chex.Array,
  valid: chex.Array,
) -> tuple[chex.Array, chex.Array]:
  """Of the sampled anchors of one picture.

  Args:
    objectness: [n] logits.
    displacements: [n, 4].
    wanted: [n, 4]; only those of positives count.
    positive: [n] bool.
    valid: [n] bool, whether an anchor counts at all.

  Returns:
    Scalars: of whether there is something, and of where it is, both divided by
    the number of anchors that count.
  """
  entropy = optax.sigmoid_binary_cross_entropy(
    objectness, positive.astype(objectness.dtype)
  )
  distance = smooth_l1(displacements, wanted, _PROPOSAL_BEND)
  return _mean(entropy, valid, valid), _mean(distance, positive, valid)


def head_losses(
  logits: chex.Array,
  displacements: chex.Array,
  wanted: chex.Array,
  labels: chex.Array,
  valid: chex.Array,
) -> tuple[chex.Array, chex.Array]:
  """Of the sampled proposals of one picture.

  Args:
    logits: [n, 1 + classes].
    displacements: [n, classes, 4].
    wanted: [n, 4]; only those of objects count.
    labels: [n] int32, 0 for background, else 1 + class.
    valid: [n] bool, whether a proposal counts at all.

  Returns:
    Scalars: of what there is, and of where it is, both divided by the number
    of proposals that count.
  """
  entropy = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
  own = jnp.maximum(labels - 1, 0)[:, None, None]
  of_class = jnp.take_along_axis(displacements, own, axis=1)[:, 0]
  distance = smooth_l1(of_class, wanted, _HEAD_BEND)
  is_object = valid & (labels > 0)
  return _mean(entropy, valid, valid), _mean(distance, is_object, valid)


def _mean(values, counted, all_valid):
  """The counted values, over the number of all that are valid."""
  total = jnp.sum(jnp.where(counted, values, 0.0))
  return total / jnp.maximum(jnp.sum(all_valid), 1)
