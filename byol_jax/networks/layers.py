"""The convolution, the ReLU and the max-pool of the encoders.

Values and gradients are the same on all devices, to rounding; on a CPU and on a
TPU they go another way where XLA's is slow.
"""

import chex
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from byol_jax import platforms
from byol_jax.networks import layers_cpu, layers_tpu, windows


class Conv(hk.Module):
  """A convolution without bias: names and draws of `hk.Conv2D`."""

  def __init__(
    self,
    channels: int,
    kernel: int,
    stride: int,
    name: str,
    dilation: int = 1,
  ):
    """Builds the layer.

    Args:
      channels: of the output.
      kernel: side of the square window.
      stride: along both axes; 1 with a dilation.
      name: module name.
      dilation: pixels from one tap of the window to the next.
    """
    super().__init__(name=name)
    self.channels = channels
    self._kernel = kernel
    self._stride = stride
    self._dilation = dilation

  @property
  def is_of_one_pixel(self) -> bool:
    """Whether each pixel of the output comes from the one in its place."""
    return self._kernel == 1 and self._stride == 1

  def weight(self, x: chex.Array) -> chex.Array:
    """[kernel, kernel, in, channels] float32, for an input of [..., in]."""
    shape = (self._kernel, self._kernel, x.shape[-1], self.channels)
    start = hk.initializers.TruncatedNormal(1.0 / np.sqrt(np.prod(shape[:-1])))
    return hk.get_parameter("w", shape, jnp.float32, start)

  def __call__(self, x: chex.Array) -> chex.Array:
    """Maps [batch, height, width, in] to [batch, ..., channels].

    The weight is rounded to the dtype of `x`.
    """
    weight = self.weight(x).astype(x.dtype)
    if self._dilation > 1 and self._kernel > 1:
      return windows.dilated(x, weight, self._dilation)
    return conv(x, weight, self._stride)


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
  if weight.shape[0] == 1:
    # XLA's gradient goes over the pixels that the stride leaves out, too.
    x, stride = x[:, ::stride, ::stride], 1
  if platforms.name() == "cpu":
    return layers_cpu.conv(x, weight, stride)
  if platforms.name() == "tpu":
    return layers_tpu.conv(x, weight, stride)
  return windows.conv(x, weight, stride)


def relu(x: chex.Array) -> chex.Array:
  """Larger of x and 0, where a block ends: more than one layer takes it up."""
  if platforms.name() == "tpu":
    return layers_tpu.relu(x)
  return jax.nn.relu(x)


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
    return layers_cpu.max_pool(x)
  return hk.max_pool(x, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
