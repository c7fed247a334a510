"""Losses of depth maps whose pixels are not all known, pure."""

import chex
import jax
import jax.numpy as jnp

# Of the largest residual of a batch (arXiv 1606.00373, "Loss Function").
_THRESHOLD = 0.2


def reverse_huber(
  prediction: chex.Array, depth: chex.Array, axis_name: str
) -> chex.Array:
  """Absolute residual up to a threshold, and beyond it quadratic.

  With the threshold c, a fifth of the largest residual of the batch, that is
  |r| up to c and (r^2 + c^2) / 2c beyond, where value and slope are continuous
  (arXiv 1606.00373, "Loss Function"). c gets no gradient.

  Args:
    prediction: [batch, height, width], in the unit of `depth`.
    depth: [batch, height, width]; 0 where it is not known.
    axis_name: mapped axis over which the batch is spread.

  Returns:
    A device's share of the mean over all known pixels of the batch: the mean of
    the shares is that mean. 0 where no pixel is known.
  """
  chex.assert_equal_shape((prediction, depth))
  known = depth > 0
  residual = jnp.where(known, jnp.abs(prediction - depth), 0.0)
  # pmax has no gradient to be stopped after it.
  largest = jnp.max(jax.lax.stop_gradient(residual))
  threshold = _THRESHOLD * jax.lax.pmax(largest, axis_name)
  # Without any residual nothing is beyond the threshold, and nothing divided.
  divisor = 2.0 * jnp.where(threshold > 0.0, threshold, 1.0)
  quadratic = (jnp.square(residual) + jnp.square(threshold)) / divisor
  loss = jnp.where(residual <= threshold, residual, quadratic)
  return _mean_share(jnp.where(known, loss, 0.0), known, axis_name)


def scale_invariant(
  log_prediction: chex.Array,
  depth: chex.Array,
  invariance: float,
  axis_name: str,
) -> chex.Array:
  """Variance-like error of the logarithm of depth, of each picture.

  With the differences d of the logarithms at the known pixels of a picture, it
  is mean(d^2) - invariance * mean(d)^2 (Eigen et al. 2014, "Scale-Invariant
  Error"). With 1 a factor on the picture's depth does not matter; Eigen et al.
  train with 0.5, where depth is in metres.

  Args:
    log_prediction: [batch, height, width].
    depth: [batch, height, width]; 0 where it is not known.
    invariance: in [0, 1].
    axis_name: mapped axis over which the batch is spread.

  Returns:
    A device's share of the mean over pictures of which anything is known, as in
    `reverse_huber`.
  """
  chex.assert_equal_shape((log_prediction, depth))
  known = depth > 0
  # The gradient goes through both branches of a selection.
  log_depth = jnp.log(jnp.where(known, depth, 1.0))
  difference = jnp.where(known, log_prediction - log_depth, 0.0)
  count = jnp.maximum(jnp.sum(known, axis=(1, 2)), 1)
  mean = jnp.sum(difference, axis=(1, 2)) / count
  # Around the mean: the difference of two large squares would be rounded.
  around = jnp.where(known, difference - mean[:, None, None], 0.0)
  variance = jnp.sum(jnp.square(around), axis=(1, 2)) / count
  loss = variance + (1.0 - invariance) * jnp.square(mean)
  return _mean_share(loss, jnp.any(known, axis=(1, 2)), axis_name)


def _mean_share(
  values: chex.Array, counted: chex.Array, axis_name: str
) -> chex.Array:
  """Sum here over the mean count of a device; what is not counted is 0."""
  count = jax.lax.pmean(jnp.sum(counted, dtype=jnp.float32), axis_name)
  return jnp.sum(values) / jnp.where(count > 0.0, count, 1.0)
