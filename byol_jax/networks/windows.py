"""Windows that slide over a picture with SAME padding."""

import chex
import jax

LAYOUT = ("NHWC", "HWIO", "NHWC")


def conv(x: chex.Array, weight: chex.Array, stride: int) -> chex.Array:
  """XLA's own convolution, as `layers.conv`."""
  return jax.lax.conv_general_dilated(
    x, weight, (stride, stride), "SAME", dimension_numbers=LAYOUT
  )


def dilated(x: chex.Array, weight: chex.Array, dilation: int) -> chex.Array:
  """Convolution with SAME padding, whose taps lie some pixels apart.

  Args:
    x: [batch, height, width, in].
    weight: [kernel, kernel, in, out].
    dilation: pixels from one tap to the next.

  Returns:
    [batch, height, width, out].
  """
  return jax.lax.conv_general_dilated(
    x,
    weight,
    (1, 1),
    "SAME",
    rhs_dilation=(dilation, dilation),
    dimension_numbers=LAYOUT,
  )


def count(size: int, stride: int) -> int:
  """Number of windows along an axis of so many pixels."""
  return -(-size // stride)


def padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
  """Pixels that SAME adds before and after an axis."""
  total = max((count(size, stride) - 1) * stride + kernel - size, 0)
  return total // 2, total - total // 2
