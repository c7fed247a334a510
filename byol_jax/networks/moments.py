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
from byol_jax.networks import layers_tpu, windows

# Pictures that fill the rows of a TPU's tiles.
_ROWS = 8
# With more channels or fewer pixels for an output the covariance takes longer
# than it saves, with fewer outputs for an input there is little to save.
_MOST_CHANNELS = 512
_PIXELS_PER_OUTPUT = 2
_OUTPUTS_PER_INPUT = 4
# A float32 as two pieces of bfloat16, which hold its 16 first bits.
_PRECISION = jax.lax.Precision.HIGH


class Term(NamedTuple):
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
  """What a term's gradient takes; in and out are channels.

  Attributes:
    weight: [in, out].
    factor: [1, out], of the centred convolution.
    inverse: [1, out], of the convolution's standard deviation on all devices.
    center: [1, in], mean of x on all devices.
    mean_x: [1, in], on this device.
    shared: [in, out], covariance of x and the convolution on this device.
  """

  weight: chex.Array
  factor: chex.Array
  inverse: chex.Array
  center: chex.Array
  mean_x: chex.Array
  shared: chex.Array


def pay(x: chex.Array, num_outputs: int) -> bool:
  """Whether this is the faster way for a term.

  Args:
    x: [batch, height, width, in], of one view or of some abreast.
    num_outputs: channels of the convolution.

  Returns:
    True on a TPU that computes in bfloat16, where `x` fills its tiles, and the
    outputs are many beside its channels and few beside its pixels.
  """
  batch, height, width, channels = x.shape
  on_tpu = platforms.name() == "tpu" and x.dtype == jnp.bfloat16
  fills = layers_tpu.LANES <= channels <= _MOST_CHANNELS and batch >= _ROWS
  saves = num_outputs >= _OUTPUTS_PER_INPUT * channels
  affords = batch * height * width >= _PIXELS_PER_OUTPUT * num_outputs
  return on_tpu and fills and saves and affords


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def add(
  terms: tuple[Term, ...], epsilon: float, axis_name: str
) -> tuple[chex.Array, tuple[Statistics, ...]]:
  """Adds normalised convolutions.

  The statistics have no gradient of their own.

  Args:
    terms: at least one; all but their inputs' channels alike.
    epsilon: added to the variance.
    axis_name: mapped axis over which the statistics are averaged.

  Returns:
    [batch, height, width, out] of the inputs' dtype, and each term's
    statistics.
  """
  return _forward(terms, epsilon, axis_name)[0]


def _forward(terms, epsilon, axis_name):
  xs = [term.x for term in terms]
  chex.assert_rank(xs, 4)
  chex.assert_equal_shape_prefix(xs, 3)
  chex.assert_equal_shape([term.scale for term in terms])
  kept, statistics, weights, shift = [], [], [], 0.0
  for x, weight, scale, offset in terms:
    weight = weight[0, 0]
    mean_x = _row(jnp.mean(x, (0, 1, 2), dtype=jnp.float32))
    covariance = _products(x, x) / _pixels(x) - mean_x.T * mean_x
    shared = _dot(covariance, weight)
    square = _row(jnp.sum(weight * shared, axis=0))
    square += jnp.square(_dot(mean_x, weight))
    center, square = jax.lax.pmean((mean_x, square), axis_name)
    mean = _dot(center, weight)
    variance = square - jnp.square(mean)
    inverse = jax.lax.rsqrt(variance + epsilon)
    factor = _row(scale) * inverse
    # With the factor in the weights all that follows is a sum, which XLA takes
    # into the convolution, also where each view has a factor of its own.
    scaled = (weight * factor).astype(x.dtype)
    shift += _row(offset) - _dot(center, scaled.astype(jnp.float32))
    weights.append(scaled)
    kept.append(_Kept(weight, factor, inverse, center, mean_x, shared))
    statistics.append(Statistics(_of_pixels(mean), _of_pixels(variance)))
  total = _conv(_joined(xs), jnp.concatenate(weights)) + _of_pixels(shift)
  return (total.astype(xs[0].dtype), tuple(statistics)), (xs, kept)


def _backward(epsilon, axis_name, residuals, gradients):
  """Of inputs, weights, scales and offsets, from that of the sum.

  With z a term's normalised convolution, and g the gradient of the sum, that of
  the convolution is factor (g - mean(g) - z mean(g z)), its means taken on all
  devices. That of the weight is its product with x, and that of x its product
  with the weight, in which z stands for (x - center) weight inverse.
  """
  del epsilon
  xs, kept = residuals
  gradient, _ = gradients
  count = _pixels(gradient)
  sum_g = _row(jnp.sum(gradient, (0, 1, 2), dtype=jnp.float32))
  mean_g = jax.lax.pmean(sum_g / count, axis_name)
  ends = list(itertools.accumulate(x.shape[-1] for x in xs))[:-1]
  products = jnp.split(_products(_joined(xs), gradient), ends)
  found, from_g, from_x = [], [], []
  for term, product in zip(kept, products, strict=True):
    weight, factor, inverse, center, mean_x, shared = term
    around = _row(jnp.sum(weight * product, axis=0))
    sum_gz = (around - _dot(center, weight) * sum_g) * inverse
    mean_gz = jax.lax.pmean(sum_gz / count, axis_name)
    apart = mean_x.T * _dot(mean_x - center, weight)
    of_z = (shared + apart) * inverse * mean_gz
    of_weight = factor * (product - count * (mean_x.T * mean_g + of_z))
    found.append((of_weight, sum_gz))
    from_g.append((weight * factor).T)
    from_x.append(-_dot(weight * factor * inverse * mean_gz, weight.T))
  # One convolution of all, which XLA does not put together in memory.
  back = jnp.concatenate(
    [jnp.concatenate(from_g, axis=1), jax.scipy.linalg.block_diag(*from_x)]
  ).astype(gradient.dtype)
  # By the rounded weights: no gradient of x has a mean over all devices.
  means = jnp.concatenate([mean_g, *(term.center for term in kept)], axis=1)
  constant = _of_pixels(_dot(means, back.astype(jnp.float32)))
  of_xs = _conv(_joined([gradient, *xs]), back) - constant
  of_xs = jnp.split(of_xs.astype(gradient.dtype), ends, axis=-1)
  terms = [
    Term(x, weight[None, None], _of_pixels(scale), _of_pixels(sum_g))
    for x, (weight, scale) in zip(of_xs, found, strict=True)
  ]
  return (tuple(terms),)


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
  return jnp.dot(x, y, precision=_PRECISION)


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
