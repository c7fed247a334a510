"""Batch norm of a convolution of one pixel, from its input's moments.

Mean and variance of y = x W follow from the mean and the covariance of x, and
so does all that the gradient has of y. With four outputs for an input, as at
the end of a bottleneck, y need not be written before it is normalised, nor kept
and read again for the gradient. As mathematics this is what `norms.BatchNorm`
does; sums come in another order.
"""

import functools
import itertools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from byol_jax import platforms
from byol_jax.networks import windows

# Channels that fill the lanes of a TPU, and pictures the rows of its tiles.
_LANES = 128
_ROWS = 8
# With fewer pixels for an output channel the covariance costs more than it
# saves (docs/performance.md).
_PIXELS = 2
# Nor does it save much with fewer outputs for an input.
_OUTPUTS = 4
# Products of matrices of bfloat16 pieces, which hold a float32's 16 first bits.
_EXACT = jax.lax.Precision.HIGH


class Branch(NamedTuple):
  """A convolution of one pixel with its batch norm.

  Attributes:
    x: [batch, height, width, in].
    weight: [1, 1, in, out], float32; rounded after it is scaled.
    scale: [1, 1, 1, out], float32.
    offset: [1, 1, 1, out], float32.
  """

  x: chex.Array
  weight: chex.Array
  scale: chex.Array
  offset: chex.Array


class Statistics(NamedTuple):
  """Of a convolution on all devices, float32.

  Attributes:
    mean: [1, 1, 1, out].
    variance: [1, 1, 1, out].
  """

  mean: chex.Array
  variance: chex.Array


class _Kept(NamedTuple):
  """What a branch's gradient takes; in and out are channels.

  Attributes:
    weight: [in, out], float32.
    scale: [1, out].
    mean: [1, out], of the convolution on all devices.
    inverse: [1, out], of its standard deviation there.
    mean_x: [1, in], on this device.
    shared: [in, out], covariance of x and the convolution on this device.
    local_mean: [1, out], of the convolution on this device.
  """

  weight: chex.Array
  scale: chex.Array
  mean: chex.Array
  inverse: chex.Array
  mean_x: chex.Array
  shared: chex.Array
  local_mean: chex.Array


def pay(x: chex.Array, num_outputs: int) -> bool:
  """Whether this is the faster way for a branch.

  Args:
    x: [batch, height, width, in], of one view or of some abreast.
    num_outputs: channels of the convolution.

  Returns:
    True on a TPU that computes in bfloat16, where `x` fills its tiles, and the
    outputs are many beside its channels and few beside its pixels.
  """
  batch, height, width, channels = x.shape
  full = channels >= _LANES and batch >= _ROWS
  many = num_outputs >= _OUTPUTS * channels
  few = batch * height * width >= _PIXELS * num_outputs
  rough = platforms.name() == "tpu" and x.dtype == jnp.bfloat16
  return rough and full and many and few


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def add(
  branches: tuple[Branch, ...], epsilon: float, axis_name: str
) -> tuple[chex.Array, tuple[Statistics, ...]]:
  """Adds the normalised convolutions of some branches.

  The statistics have no gradient of their own.

  Args:
    branches: at least one; all but their inputs' channels alike.
    epsilon: added to the variance.
    axis_name: mapped axis over which the statistics are averaged.

  Returns:
    [batch, height, width, out] of the inputs' dtype, and each branch's
    statistics.
  """
  return _forward(branches, epsilon, axis_name)[0]


def _forward(branches, epsilon, axis_name):
  kept, statistics, weights, shift = [], [], [], 0.0
  for x, weight, scale, offset in branches:
    matrix = weight[0, 0]
    mean_x = _row(jnp.mean(x, (0, 1, 2), dtype=jnp.float32))
    covariance = _products(x, x) / _pixels(x) - mean_x.T * mean_x
    shared = _dot(covariance, matrix)
    local_mean = _dot(mean_x, matrix)
    square = _row(jnp.sum(matrix * shared, axis=0)) + jnp.square(local_mean)
    center, square = jax.lax.pmean((mean_x, square), axis_name)
    mean = _dot(center, matrix)
    variance = square - jnp.square(mean)
    inverse = jax.lax.rsqrt(variance + epsilon)
    # With the factor in the weights all that follows is a sum, which XLA takes
    # into the convolution, also where each view has a factor of its own.
    scaled = (matrix * _row(scale) * inverse).astype(x.dtype)
    shift += _row(offset) - _dot(center, scaled.astype(jnp.float32))
    weights.append(scaled)
    kept.append(
      _Kept(matrix, _row(scale), mean, inverse, mean_x, shared, local_mean)
    )
    statistics.append(Statistics(_of_pixels(mean), _of_pixels(variance)))
  x = _joined([branch.x for branch in branches])
  total = _conv(x, jnp.concatenate(weights)) + _of_pixels(shift)
  return (total.astype(x.dtype), tuple(statistics)), (branches, kept)


def _backward(epsilon, axis_name, kept, gradients):
  """With z a branch's normalised convolution, and g the gradient of the sum.

  The gradient of the convolution is factor (g - mean(g) - z mean(g z)), its
  means taken on all devices. That of W is its product with x, and that of x its
  product with W, in which z stands for (x W - mean) inverse.
  """
  del epsilon
  branches, kept = kept
  gradient, _ = gradients
  xs = [branch.x for branch in branches]
  count = _pixels(gradient)
  products = _products(_joined(xs), gradient)
  sum_g = _row(jnp.sum(gradient, (0, 1, 2), dtype=jnp.float32))
  from_g, from_x, constant, found = [], [], [], []
  for x, of_branch in zip(xs, kept, strict=True):
    weight, scale, mean, inverse, mean_x, shared, local_mean = of_branch
    here, products = jnp.split(products, [x.shape[-1]])
    sum_gz = (_row(jnp.sum(weight * here, axis=0)) - mean * sum_g) * inverse
    mean_g, mean_gz = jax.lax.pmean((sum_g / count, sum_gz / count), axis_name)
    factor = scale * inverse
    mean_xz = (shared + mean_x.T * (local_mean - mean)) * inverse
    of_weight = factor * (
      here - count * (mean_x.T * mean_g + mean_xz * mean_gz)
    )
    of_z = factor * mean_gz * inverse
    from_g.append((weight * factor).T)
    from_x.append(-_dot(weight * of_z, weight.T))
    constant.append(_dot(of_z * mean - factor * mean_g, weight.T))
    found.append(
      (
        of_weight[None, None],
        _of_pixels(sum_gz),
        _of_pixels(sum_g),
      )
    )
  # One convolution of all, which XLA does not put together in memory.
  back = jnp.concatenate(
    [jnp.concatenate(from_g, axis=1), jax.scipy.linalg.block_diag(*from_x)]
  )
  of_xs = _conv(_joined([gradient, *xs]), back.astype(gradient.dtype))
  of_xs += _of_pixels(jnp.concatenate(constant, axis=1))
  of_xs = of_xs.astype(gradient.dtype)
  ends = list(itertools.accumulate(x.shape[-1] for x in xs))[:-1]
  of_xs = jnp.split(of_xs, ends, axis=-1)
  return (
    tuple(Branch(x, *rest) for x, rest in zip(of_xs, found, strict=True)),
  )


add.defvjp(_forward, _backward)


def _row(x):
  return x.reshape(1, -1)


def _of_pixels(x):
  return x.reshape(1, 1, 1, -1)


def _joined(xs):
  return jnp.concatenate(xs, axis=-1) if len(xs) > 1 else xs[0]


def _pixels(x):
  return x.shape[0] * x.shape[1] * x.shape[2]


def _products(x, y):
  """Of each channel of x with each of y, summed over all pixels."""
  return jax.lax.dot_general(
    x,
    y,
    (((0, 1, 2), (0, 1, 2)), ((), ())),
    preferred_element_type=jnp.float32,
  )


def _dot(x, y):
  return jnp.dot(x, y, precision=_EXACT)


def _conv(x, matrix):
  """Of one pixel, before its result is rounded to the dtype of x."""
  return jax.lax.conv_general_dilated(
    x,
    matrix[None, None],
    (1, 1),
    "SAME",
    dimension_numbers=windows.LAYOUT,
    preferred_element_type=jnp.float32,
  )
