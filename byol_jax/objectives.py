"""What the online network is asked to minimise: BYOL to SimCLR, and MoCo.

For one direction, from a view v to the other view v', all are points of

  |phi - psi|^2 + beta (2 alpha ln(sum over others of exp(S / alpha)) - 2)

(paper, "Ablation to contrastive methods"), where phi is the prediction of v,
psi the target projection of v', both of length 1, and S a cosine: minus the
paper's InfoNCE, plus 2 - 2 beta. beta = 0 is BYOL's regression loss; beta = 1
is 2 alpha times NT-Xent.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

# Of the closed-form predictor, beside the mean of the Gram matrix's diagonal:
# float32 cannot invert a singular matrix, which the paper does not treat.
_RIDGE = 1e-6
_HIGHEST = jax.lax.Precision.HIGHEST


class Objective(NamedTuple):
  """Which loss; the defaults are BYOL's.

  Attributes:
    negative_weight: beta, 0 or more.
    temperature: alpha, above 0.
    negatives: "batch", the other pictures' projections on all devices, or
      "queue", those of earlier batches.
    queue_size: how many projections the queue holds.
    normalization: of what is compared: "l2", "layer", "batch" or "none".
    symmetric: add both directions; otherwise view 1 predicts view 2 only.
    scale: factor on the loss.
  """

  negative_weight: float = 0.0
  temperature: float = 0.1
  negatives: str = "batch"
  queue_size: int = 65_536
  normalization: str = "l2"
  symmetric: bool = True
  scale: float = 1.0

  @property
  def has_queue(self) -> bool:
    """Whether earlier projections are kept."""
    return self.negative_weight > 0.0 and self.negatives == "queue"


def unit(x: chex.Array) -> chex.Array:
  """Scales vectors to length 1.

  Args:
    x: [..., dim], any scale.

  Returns:
    [..., dim]; a vector shorter than 1e-6 is divided by 1e-6 instead.
  """
  square = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
  return x * jax.lax.rsqrt(jnp.maximum(square, 1e-12))


def normalize(x: chex.Array, kind: str, axis_name: str) -> chex.Array:
  """What is done to predictions and projections before they are compared.

  Source: paper, "Normalization in the loss": the layer and batch norms have no
  parameters and are divided by the root of the dimension.

  Args:
    x: [batch, dim].
    kind: "l2" (`unit`), "layer", "batch" or "none".
    axis_name: mapped axis over which the batch is spread.

  Returns:
    [batch, dim]; of "l2" and "layer" each of length 1.
  """
  chex.assert_rank(x, 2)
  if kind == "l2":
    return unit(x)
  if kind == "layer":
    return unit(x - jnp.mean(x, axis=-1, keepdims=True))
  if kind == "batch":
    mean = jax.lax.pmean(jnp.mean(x, axis=0, keepdims=True), axis_name)
    centred = x - mean
    variance = jnp.mean(jnp.square(centred), axis=0, keepdims=True)
    variance = jax.lax.pmean(variance, axis_name)
    return centred * jax.lax.rsqrt(x.shape[-1] * jnp.maximum(variance, 1e-12))
  return x


def regression_loss(prediction: chex.Array, target: chex.Array) -> chex.Array:
  """Squared distance of two vectors.

  Of unit vectors it equals `2 - 2 cos(prediction, target)` (paper, "Description
  of BYOL"). Gradients flow into both: who wants none stops them.

  Args:
    prediction: [batch, dim] of the online network, normalised.
    target: [batch, dim] projection by the target network, normalised.

  Returns:
    [batch] one loss per image, of unit vectors in [0, 4]; the caller averages.
  """
  chex.assert_rank(prediction, 2)
  chex.assert_equal_shape((prediction, target))
  # The difference of unit vectors, not 2 - 2 cos: near collapse the latter
  # cancels in float32.
  return jnp.sum(jnp.square(prediction - target), axis=-1)


def negative_loss(cosines: chex.Array, temperature: float) -> chex.Array:
  """How close a prediction is to all that it might be taken for.

  Args:
    cosines: [batch, others], the positive included, -inf for what is not there.
    temperature: alpha.

  Returns:
    [batch] `2 alpha ln(sum exp(cosine / alpha)) - 2`; the caller averages.
  """
  chex.assert_rank(cosines, 2)
  total = jax.nn.logsumexp(cosines / temperature, axis=-1)
  return 2.0 * (temperature * total - 1.0)


def batch_cosines(
  prediction: chex.Array, same: chex.Array, other: chex.Array, axis_name: str
) -> chex.Array:
  """Cosines with the projections of both views of all pictures but itself.

  Args:
    prediction: [batch, dim] of length 1, of a view.
    same: [batch, dim] of length 1, target projections of the same view, whose
      own row is left out.
    other: [batch, dim] of length 1, target projections of the other view.
    axis_name: mapped axis over which the batch is spread.

  Returns:
    [batch, 2 * whole batch], -inf for a picture's own view.
  """
  chex.assert_equal_shape((prediction, same, other))
  batch = len(prediction)
  same, other = (
    jax.lax.all_gather(x, axis_name, tiled=True) for x in (same, other)
  )
  rows = jax.lax.axis_index(axis_name) * batch + jnp.arange(batch)
  own = rows[:, None] == jnp.arange(len(same))[None, :]
  with_same = jnp.where(own, -jnp.inf, _products(prediction, same))
  return jnp.concatenate([with_same, _products(prediction, other)], axis=-1)


def queue_cosines(
  prediction: chex.Array, positive: chex.Array, queue: chex.Array
) -> chex.Array:
  """Cosines with the positive and with a queue of earlier projections.

  Source: MoCo (arXiv 1911.05722).

  Args:
    prediction: [batch, dim] of length 1.
    positive: [batch, dim] of length 1.
    queue: [size, dim] of length 1; it gets no gradient.

  Returns:
    [batch, 1 + size].
  """
  chex.assert_equal_shape((prediction, positive))
  own = jnp.sum(prediction * positive, axis=-1, keepdims=True)
  others = _products(prediction, jax.lax.stop_gradient(queue))
  return jnp.concatenate([own, others], axis=-1)


def least_squares(
  projection: chex.Array, target: chex.Array, axis_name: str
) -> chex.Array:
  """The prediction of the best linear predictor for this batch.

  Source: paper, "Near-optimal predictor": Q = (Z^T Z)^-1 Z^T Z'. The gradient
  takes Q as given, since it is solved for before the backward pass.

  Args:
    projection: [batch, dim] Z, of the online network.
    target: [batch, dim] Z', of the target network; the whole batch must have at
      least `dim` pictures.
    axis_name: mapped axis over which the batch is spread.

  Returns:
    [batch, dim] Z Q.
  """
  chex.assert_equal_shape((projection, target))
  z, goal = jax.lax.stop_gradient((projection, target))
  gram, cross = jax.lax.psum(
    (_products(z.T, z.T), _products(z.T, goal.T)), axis_name
  )
  ridge = _RIDGE * jnp.mean(jnp.diagonal(gram)) + jnp.finfo(gram.dtype).tiny
  predictor = jnp.linalg.solve(gram + ridge * jnp.eye(len(gram)), cross)
  return jnp.dot(projection, predictor, precision=_HIGHEST)


def classification_loss(logits: chex.Array, labels: chex.Array) -> chex.Array:
  """Cross-entropy of a softmax classifier.

  Args:
    logits: [batch, classes].
    labels: [batch] int32 in [0, classes).

  Returns:
    [batch] one loss per image, in nats; the caller averages.
  """
  chex.assert_rank((logits, labels), (2, 1))
  chex.assert_equal_shape_prefix((logits, labels), 1)
  one_hot = jax.nn.one_hot(labels, logits.shape[-1])
  return -jnp.sum(one_hot * jax.nn.log_softmax(logits), axis=-1)


def _products(x: chex.Array, y: chex.Array) -> chex.Array:
  """[n, dim] and [m, dim] to [n, m]."""
  return jnp.dot(x, y.T, precision=_HIGHEST)
