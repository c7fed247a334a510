"""The convolution and the max-pool of the encoders."""

import chex
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

_LAYOUT = ("NHWC", "HWIO", "NHWC")


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
  return jax.lax.conv_general_dilated(
    x, weight, (stride, stride), "SAME", dimension_numbers=_LAYOUT
  )


def max_pool(x: chex.Array) -> chex.Array:
  """Largest value in windows of 3x3 with stride 2 and SAME padding.

  The gradient goes to the first of equal values, row by row.

  Args:
    x: [batch, height, width, channels].

  Returns:
    [batch, ceil(height / 2), ceil(width / 2), channels].
  """
  return hk.max_pool(x, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
