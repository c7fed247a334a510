"""Up-projection: the decoder of monocular depth (arXiv 1606.00373)."""

from collections.abc import Sequence

import chex
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from byol_jax.networks import layers, norms, windows

# A window on the map that is twice as large, three quarters of it zeros.
_KERNEL = 5


class DepthHead(hk.Module):
  """Features to a map of depths: the head of Laina et al.

  A 1x1 convolution to half the channels with its norm, blocks that double
  height and width, and a 3x3 convolution to one channel, which has a bias.
  """

  def __init__(
    self,
    widths: Sequence[int],
    make_norm: norms.MakeNorm,
    name: str = "depth_head",
  ):
    """Builds the layers.

    Args:
      widths: channels of each block; the paper's are 512, 256, 128, 64.
      make_norm: from module name and zero start of the scale.
      name: module name.
    """
    super().__init__(name=name)
    self._norm = make_norm("batchnorm", False)
    self._blocks = [
      UpProjection(width, make_norm, f"block_{number}")
      for number, width in enumerate(widths)
    ]

  def __call__(self, features: chex.Array, is_training: bool) -> chex.Array:
    """Maps features to depths, of whatever meaning the loss gives them.

    Args:
      features: [batch, height, width, channels].
      is_training: normalise by the batch's own statistics.

    Returns:
      [batch, height * 2**n, width * 2**n] float32, with n blocks.
    """
    reduce = layers.Conv(features.shape[-1] // 2, 1, 1, "reduction")
    x = self._norm(reduce(features), is_training)
    for block in self._blocks:
      x = block(x, is_training)
    x = layers.Conv(1, 3, 1, "prediction")(x)[..., 0].astype(jnp.float32)
    return x + hk.get_parameter("b", (1, 1, 1), jnp.float32, jnp.zeros)


def output_size(
  size: tuple[int, int], stride: int, num_blocks: int
) -> tuple[int, int]:
  """Height and width of the map that a picture's features become.

  Args:
    size: height and width of the picture.
    stride: pixels of the picture to one of the features.
    num_blocks: of the head.
  """
  height, width = (windows.count(side, stride) * 2**num_blocks for side in size)
  return height, width


class UpProjection(hk.Module):
  """A residual block that doubles height and width, in its fast form.

  Source: arXiv 1606.00373, "Fast Up-Convolutions".
  """

  def __init__(self, channels: int, make_norm: norms.MakeNorm, name: str):
    """Builds the layers.

    Args:
      channels: of the output.
      make_norm: from module name and zero start of the scale.
      name: module name.
    """
    super().__init__(name=name)
    self._ups = [UpConv(channels, f"up_{branch}") for branch in range(2)]
    self._conv = layers.Conv(channels, 3, 1, "conv")
    self._norms = [make_norm(f"batchnorm_{i}", False) for i in range(3)]

  def __call__(self, x: chex.Array, is_training: bool) -> chex.Array:
    """Maps [batch, height, width, in] to twice the height and width."""
    shortcut = self._norms[0](self._ups[0](x), is_training)
    x = jax.nn.relu(self._norms[1](self._ups[1](x), is_training))
    x = self._norms[2](self._conv(x), is_training)
    return jax.nn.relu(x + shortcut)


class UpConv(hk.Module):
  """`up_conv` with its weight, and without bias."""

  def __init__(self, channels: int, name: str):
    """Builds the layer.

    Args:
      channels: of the output.
      name: module name.
    """
    super().__init__(name=name)
    self._channels = channels

  def __call__(self, x: chex.Array) -> chex.Array:
    """Maps [batch, height, width, in] to twice the height and width.

    The weight is float32 whatever the dtype of `x`, which it is rounded to.
    """
    shape = (_KERNEL, _KERNEL, x.shape[-1], self._channels)
    # A quarter of the window meets values, the rest zeros.
    seen = np.prod(shape[:-1]) / 4
    start = hk.initializers.TruncatedNormal(1.0 / np.sqrt(seen))
    weight = hk.get_parameter("w", shape, jnp.float32, start)
    return up_conv(x, weight.astype(x.dtype))


def up_conv(x: chex.Array, weight: chex.Array) -> chex.Array:
  """Unpooling with zeros, then a 5x5 convolution, without the zeros.

  Unpooling puts each value into the upper left of four pixels. A window of 5x5
  then meets values at every second of its taps only, in one of four patterns
  that depend on the pixel's row and column being even or odd: convolutions of
  3x3, 3x2, 2x3 and 2x2, whose results are interleaved.

  Args:
    x: [batch, height, width, in].
    weight: [5, 5, in, out], of the same dtype.

  Returns:
    [batch, 2 * height, 2 * width, out].
  """
  chex.assert_rank([x, weight], 4)
  chex.assert_axis_dimension(weight, 0, _KERNEL)
  batch, height, width, _ = x.shape
  rows = []
  for row in range(2):
    columns = [
      windows.conv(x, weight[row::2, column::2], 1) for column in range(2)
    ]
    rows.append(jnp.stack(columns, axis=3))
  # [batch, height, row, width, column, out].
  pixels = jnp.stack(rows, axis=2)
  return pixels.reshape(batch, 2 * height, 2 * width, weight.shape[-1])
