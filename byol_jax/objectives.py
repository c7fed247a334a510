"""What the online network is asked to minimise."""

import chex
import jax
import jax.numpy as jnp


def unit(x: chex.Array) -> chex.Array:
  """Scales vectors to length 1.

  Args:
    x: [..., dim], any scale.

  Returns:
    [..., dim]; a vector shorter than 1e-6 is divided by 1e-6 instead.
  """
  square = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
  return x * jax.lax.rsqrt(jnp.maximum(square, 1e-12))


def regression_loss(prediction: chex.Array, target: chex.Array) -> chex.Array:
  """Squared distance between the directions of two vectors.

  Equals `2 - 2 cos(prediction, target)` (paper, "Description of BYOL").
  Gradients flow into `prediction` only.

  Args:
    prediction: [batch, dim] output of the online predictor, any scale.
    target: [batch, dim] projection by the target network, any scale.

  Returns:
    [batch] one loss per image, in [0, 4]; the caller averages.
  """
  chex.assert_rank(prediction, 2)
  chex.assert_equal_shape((prediction, target))
  # The difference of unit vectors, not 2 - 2 cos: near collapse the latter
  # cancels in float32.
  difference = unit(prediction) - unit(jax.lax.stop_gradient(target))
  return jnp.sum(jnp.square(difference), axis=-1)


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
