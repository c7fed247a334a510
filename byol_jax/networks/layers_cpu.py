"""Convolutions and max-pool as a CPU computes them faster.

XLA's own take up to two hundred times what they need (docs/performance.md).
"""

from collections.abc import Iterator

import chex
import jax
import jax.numpy as jnp

from byol_jax.networks import windows

# Side of the largest map whose pixels are matrix products of their own: XLA's
# convolution falls off where a window is larger than the map it slides over.
_TINY_PX = 2


def conv(x: chex.Array, weight: chex.Array, stride: int) -> chex.Array:
  """As `layers.conv`."""
  if max(windows.count(size, stride) for size in x.shape[1:3]) <= _TINY_PX:
    return _conv_by_pixel(x, weight, stride)
  if stride == 2 and x.shape[1] % 2 == 0 and x.shape[2] % 2 == 0:
    return _conv_of_squares(x, weight)
  return windows.conv(x, weight, stride)


@jax.custom_vjp
def max_pool(x: chex.Array) -> chex.Array:
  """As `layers.max_pool`: nine strided pictures, one for each offset."""
  return _first_maximum(x)[0]


def _conv_by_pixel(x, weight, stride):
  """Each pixel of the output is a matrix product of what its window covers."""
  kernel, _, _, channels = weight.shape
  batch, height, width, _ = x.shape
  pixels = [
    x[:, rows, columns].reshape(batch, -1)
    @ weight[row_taps, column_taps].reshape(-1, channels)
    for rows, row_taps in _windows(height, kernel, stride)
    for columns, column_taps in _windows(width, kernel, stride)
  ]
  shape = (windows.count(height, stride), windows.count(width, stride))
  return jnp.stack(pixels, axis=1).reshape(batch, *shape, channels)


def _windows(
  size: int, kernel: int, stride: int
) -> Iterator[tuple[slice, slice]]:
  """Of each window: what it covers of an axis, and with which taps."""
  before, _ = windows.padding(size, kernel, stride)
  for window in range(windows.count(size, stride)):
    start = window * stride - before
    first, last = max(start, 0), min(start + kernel, size)
    yield slice(first, last), slice(first - start, last - start)


@jax.custom_vjp
def _conv_of_squares(x, weight):
  """With stride 2, of a picture of even size; a kernel of at least 2.

  XLA takes the gradient of x by a convolution of dy with zeros between its
  pixels, three quarters of whose products are of zeros.
  """
  return windows.conv(x, weight, 2)


def _conv_of_squares_forward(x, weight):
  return _conv_of_squares(x, weight), (x, weight)


def _conv_of_squares_backward(kept, gradient):
  x, weight = kept
  (of_weight,) = jax.vjp(lambda weight: windows.conv(x, weight, 2), weight)[1](
    gradient
  )
  # A pixel of x has met every other tap along either axis.
  at = [
    [
      _of_pixels(gradient, weight, x.shape[1:3], (row, column))
      for column in (0, 1)
    ]
    for row in (0, 1)
  ]
  of_x = jnp.stack([jnp.stack(pair, axis=3) for pair in at], axis=2)
  return of_x.reshape(x.shape), of_weight


_conv_of_squares.defvjp(_conv_of_squares_forward, _conv_of_squares_backward)


def _of_pixels(gradient, weight, size, corner):
  """Gradient of the pixels in one corner of the squares of 2x2."""
  kernel = weight.shape[0]
  taps, around = [], []
  for length, place in zip(size, corner, strict=True):
    before, _ = windows.padding(length, kernel, 2)
    first_tap = (place + before) % 2
    met = range(first_tap, kernel, 2)
    # The last of these taps is of the first window that covers the pixel, and
    # each before it of the next window.
    first_window = (place + before - met[-1]) // 2
    taps.append(slice(first_tap, None, 2))
    around.append((-first_window, first_window + len(met) - 1))
  weight = jnp.flip(weight[taps[0], taps[1]], (0, 1)).swapaxes(2, 3)
  return jax.lax.conv_general_dilated(
    gradient, weight, (1, 1), around, dimension_numbers=windows.LAYOUT
  )


def _max_pool_forward(x):
  largest, offset = _first_maximum(x)
  # An empty array says how large the pictures were.
  return largest, (offset, jnp.zeros((0, *x.shape[1:3])))


def _max_pool_backward(kept, gradient):
  offset, empty = kept
  at = [jnp.where(offset == i, gradient, 0) for i in range(9)]
  rows = [_interleave(*at[i : i + 3], axis=2) for i in (0, 3, 6)]
  wide = _interleave(*rows, axis=1)
  height, width = empty.shape[1:]
  top, left = (windows.padding(size, 3, 2)[0] for size in (height, width))
  return (wide[:, top : top + height, left : left + width],)


max_pool.defvjp(_max_pool_forward, _max_pool_backward)


def _first_maximum(x):
  """Maxima of the windows, and the first place where each is, 0 to 8."""
  rows, columns = (windows.padding(size, 3, 2) for size in x.shape[1:3])
  height, width = (windows.count(size, 2) for size in x.shape[1:3])
  padded = jnp.pad(x, ((0, 0), rows, columns, (0, 0)), constant_values=-jnp.inf)
  largest, offset = None, None
  for i in range(9):
    top, left = divmod(i, 3)
    value = padded[
      :, top : top + 2 * height - 1 : 2, left : left + 2 * width - 1 : 2
    ]
    if largest is None:
      largest, offset = value, jnp.zeros(value.shape, jnp.int8)
    else:
      offset = jnp.where(value > largest, jnp.int8(i), offset)
      largest = jnp.maximum(largest, value)
  return largest, offset


def _interleave(first, second, third, axis):
  """Adds what windows give their three places to the places themselves.

  Windows are two places apart: the third place of one is the first of the next.
  """
  after = [(0, int(i == axis)) for i in range(first.ndim)]
  before = [(int(i == axis), 0) for i in range(first.ndim)]
  even = jnp.pad(first, after) + jnp.pad(third, before)
  odd = jnp.pad(second, after)
  shape = [n * 2 if i == axis else n for i, n in enumerate(even.shape)]
  return jnp.stack([even, odd], axis + 1).reshape(shape)
