"""The convolution and the max-pool of the encoders.

On a CPU some of XLA's programs for them take ten to two hundred times what they
need (`benchmarks/cliffs.py`), and on a TPU some waste half
of its time (docs/performance.md); what goes the way round there computes the
same, to rounding.
"""

import functools
from collections.abc import Iterator

import chex
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from byol_jax import platforms

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_RGB = 3
# Side of the largest map whose pixels are matrix products of their own: XLA's
# convolution falls off where a window is larger than the map it slides over.
_TINY_PX = 2


class Conv(hk.Module):
  """A convolution without bias: names and draws of `hk.Conv2D`."""

  def __init__(self, channels: int, kernel: int, stride: int, name: str):
    """Builds the layer.

    Args:
      channels: of the output.
      kernel: side of the square window.
      stride: along both axes.
      name: module name.
    """
    super().__init__(name=name)
    self._channels = channels
    self._kernel = kernel
    self._stride = stride

  def __call__(self, x: chex.Array) -> chex.Array:
    """Maps [batch, height, width, in] to [batch, ..., channels].

    The weight is float32 whatever the dtype of `x`, which it is rounded to.
    """
    shape = (self._kernel, self._kernel, x.shape[-1], self._channels)
    start = hk.initializers.TruncatedNormal(1.0 / np.sqrt(np.prod(shape[:-1])))
    weight = hk.get_parameter("w", shape, jnp.float32, start)
    return conv(x, weight.astype(x.dtype), self._stride)


def conv(x: chex.Array, weight: chex.Array, stride: int) -> chex.Array:
  """Convolution with SAME padding.

  Args:
    x: [batch, height, width, in].
    weight: [kernel, kernel, in, out], of the same dtype.
    stride: along both axes.

  Returns:
    [batch, ceil(height / stride), ceil(width / stride), out].
  """
  chex.assert_rank([x, weight], 4)
  if platforms.name() == "cpu":
    if weight.shape[0] == 1:
      # XLA's gradient goes over the pixels that the stride leaves out, too.
      x, stride = x[:, ::stride, ::stride], 1
    elif max(_num_windows(size, stride) for size in x.shape[1:3]) <= _TINY_PX:
      return _conv_by_pixel(x, weight, stride)
  if platforms.name() == "tpu":
    if weight.shape[0] == 1 and stride > 1:
      return _conv_1x1(x, weight, stride)
    if stride == 2 and x.shape[-1] == _RGB and _is_even(x):
      return _conv_by_square(x, weight)
  return _conv(x, weight, stride)


def max_pool(x: chex.Array) -> chex.Array:
  """Largest value in windows of 3x3 with stride 2 and SAME padding.

  The gradient goes to the first of equal values, row by row.

  Args:
    x: [batch, height, width, channels].

  Returns:
    [batch, ceil(height / 2), ceil(width / 2), channels].
  """
  chex.assert_rank(x, 4)
  if platforms.name() == "cpu":
    return _max_pool_by_offset(x)
  return hk.max_pool(x, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")


def _conv(x, weight, stride):
  """As XLA has it."""
  return jax.lax.conv_general_dilated(
    x, weight, (stride, stride), "SAME", dimension_numbers=_LAYOUT
  )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _conv_1x1(x, weight, stride):
  """Strided, but that the gradient of `x` takes no products of zeros."""
  return _conv(x, weight, stride)


def _conv_1x1_forward(x, weight, stride):
  return _conv(x, weight, stride), (x, weight)


def _conv_1x1_backward(stride, kept, gradient):
  x, weight = kept
  _, pull = jax.vjp(lambda weight: _conv(x, weight, stride), weight)
  seen, spread = jax.vjp(lambda x: x[:, ::stride, ::stride], x)
  _, back = jax.vjp(lambda seen: _conv(seen, weight, 1), seen)
  return *spread(*back(gradient)), *pull(gradient)


_conv_1x1.defvjp(_conv_1x1_forward, _conv_1x1_backward)


def _is_even(x: chex.Array) -> bool:
  return x.shape[1] % 2 == 0 and x.shape[2] % 2 == 0


def _conv_by_square(x, weight):
  """Of squares of 2x2 pixels, with stride 1: three channels fill no lanes.

  For a kernel of odd size and a picture of even size, where SAME has one more
  pixel after the picture than before it, or as many.
  """
  batch, height, width, channels = x.shape
  kernel, _, _, out = weight.shape
  before, _ = _padding(height, kernel, 2)
  # Taps begin and end with a square.
  start = before % 2
  taps = (kernel + start + 1) // 2
  end = 2 * taps - kernel - start
  weight = jnp.pad(weight, ((start, end), (start, end), (0, 0), (0, 0)))
  weight = weight.reshape(taps, 2, taps, 2, channels, out)
  weight = weight.transpose(0, 2, 1, 4, 3, 5)
  # By way of rows, in which the views come.
  rows = x.transpose(0, 1, 3, 2)
  rows = jnp.stack([rows[..., 0::2], rows[..., 1::2]], axis=3)
  rows = rows.reshape(batch, height // 2, 4 * channels, width // 2)
  first = (before + start) // 2
  around = (first, taps - 1 - first)
  return jax.lax.conv_general_dilated(
    rows.transpose(0, 1, 3, 2),
    weight.reshape(taps, taps, 4 * channels, out),
    (1, 1),
    (around, around),
    dimension_numbers=_LAYOUT,
  )


def _num_windows(size: int, stride: int) -> int:
  return -(-size // stride)


def _padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
  """What SAME adds before and after."""
  total = (_num_windows(size, stride) - 1) * stride + kernel - size
  total = max(total, 0)
  return total // 2, total - total // 2


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
  shape = (_num_windows(height, stride), _num_windows(width, stride))
  return jnp.stack(pixels, axis=1).reshape(batch, *shape, channels)


def _windows(
  size: int, kernel: int, stride: int
) -> Iterator[tuple[slice, slice]]:
  """Of each window: what it covers of an axis, and with which taps."""
  before, _ = _padding(size, kernel, stride)
  for window in range(_num_windows(size, stride)):
    start = window * stride - before
    first, last = max(start, 0), min(start + kernel, size)
    yield slice(first, last), slice(first - start, last - start)


@jax.custom_vjp
def _max_pool_by_offset(x):
  """The maximum of nine strided pictures, one for each offset in a window."""
  return _first_maximum(x)[0]


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
  top, left = (_padding(size, 3, 2)[0] for size in (height, width))
  return (wide[:, top : top + height, left : left + width],)


_max_pool_by_offset.defvjp(_max_pool_forward, _max_pool_backward)


def _first_maximum(x):
  """Maxima of the windows, and the first place where each is, 0 to 8."""
  rows, columns = (_padding(size, 3, 2) for size in x.shape[1:3])
  height, width = (_num_windows(size, 2) for size in x.shape[1:3])
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
