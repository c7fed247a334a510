"""ResNet encoders under the released parameter names."""

from typing import NamedTuple

import chex
import haiku as hk
import jax
import jax.numpy as jnp

from byol_jax.networks import branches, layers, norms


class Architecture(NamedTuple):
  """What distinguishes one ResNet from another.

  Attributes:
    name: Haiku module name, the first part of every parameter's.
    blocks: residual blocks in each group.
    channels: output channels of each group at width 1.
    bottleneck: 1x1, 3x3, 1x1 convolutions in a block instead of two 3x3.
    stem_channels: output channels of the first convolution at width 1.
  """

  name: str
  blocks: tuple[int, ...]
  channels: tuple[int, ...]
  bottleneck: bool
  stem_channels: int = 64


_BASIC = (64, 128, 256, 512)
_BOTTLENECK = (256, 512, 1024, 2048)
_CIFAR = (16, 32, 64)
# Channels of a bottleneck's output for one of its inner convolutions.
BOTTLENECK_FACTOR = 4

# The released code's networks, then the CIFAR networks of He et al. 2016
# (section 4.2), then two for tests: the released code's, and a bare stem.
ARCHITECTURES = {
  "resnet18": Architecture("res_net18", (2, 2, 2, 2), _BASIC, False),
  "resnet34": Architecture("res_net34", (3, 4, 6, 3), _BASIC, False),
  "resnet50": Architecture("res_net50", (3, 4, 6, 3), _BOTTLENECK, True),
  "resnet101": Architecture("res_net101", (3, 4, 23, 3), _BOTTLENECK, True),
  "resnet152": Architecture("res_net152", (3, 8, 36, 3), _BOTTLENECK, True),
  "resnet200": Architecture("res_net200", (3, 24, 36, 3), _BOTTLENECK, True),
  "resnet8": Architecture("res_net8", (1, 1, 1), _CIFAR, False, 16),
  "resnet20": Architecture("res_net20", (3, 3, 3), _CIFAR, False, 16),
  "tiny_resnet": Architecture(
    "tiny_res_net", (1, 1, 1, 1), (8, 8, 8, 8), False
  ),
  "one_conv": Architecture("one_conv", (), (), False, 16),
}


class ResNet(hk.Module):
  """Residual network, version 1, stride on the 3x3 convolution.

  Source: paper, "Architecture", and the released code. All convolutions are
  without bias and with SAME padding; the first block of every group has a
  projection shortcut, also in ResNet-18 and 34, as in the released code.
  """

  def __init__(
    self,
    architecture: Architecture,
    width_multiplier: int,
    stem: str,
    zero_init_last_scale: bool,
    make_norm: norms.MakeNorm,
    dilation: int = 1,
  ):
    """Builds the layers.

    Args:
      architecture: one of `ARCHITECTURES`.
      width_multiplier: factor on all channels.
      stem: "imagenet" (7x7 stride 2, then max-pool) or "cifar" (3x3, no pool).
      zero_init_last_scale: start a block's last scale at 0 (not published).
      make_norm: from module name and zero start of the scale.
      dilation: above 1, the last group keeps its resolution, and its 3x3
        convolutions have this dilation (dense tasks).
    """
    super().__init__(name=architecture.name)
    self._pool = stem == "imagenet"
    self._conv = layers.Conv(
      channels=architecture.stem_channels * width_multiplier,
      kernel=7 if self._pool else 3,
      stride=2 if self._pool else 1,
      name="initial_conv",
    )
    self._norm = make_norm("initial_batchnorm", False)
    last = len(architecture.blocks) - 1
    dilations = [dilation if group == last else 1 for group in range(last + 1)]
    self._groups = [
      _BlockGroup(
        num_blocks=num_blocks,
        channels=channels * width_multiplier,
        stride=1 if group == 0 or dilations[group] > 1 else 2,
        make_block=_block_maker(
          architecture, zero_init_last_scale, make_norm, dilations[group]
        ),
        name=f"block_group_{group}",
      )
      for group, (num_blocks, channels) in enumerate(
        zip(architecture.blocks, architecture.channels, strict=True)
      )
    ]

  def __call__(self, images: chex.Array, is_training: bool) -> chex.Array:
    """Encodes standardised pictures.

    Args:
      images: [batch, height, width, 3], of mean 0 and variance 1.
      is_training: normalise by the batch's own statistics.

    Returns:
      [batch, channels] average over the last feature map.
    """
    return self.rest(self.entry(images, is_training), is_training)

  def entry(self, images: chex.Array, is_training: bool) -> chex.Array:
    """The map of the stem and the first group, which have the fewest channels.

    Args:
      images: as `__call__`.
      is_training: as `__call__`.

    Returns:
      [batch, height / stride, width / stride, channels].
    """
    x = self._stem(images, is_training)
    return _through(self._groups[:1], x, is_training)

  def rest(self, x: chex.Array, is_training: bool) -> chex.Array:
    """The average over the last map, from the map of `entry`.

    Args:
      x: [batch, height, width, channels].
      is_training: as `__call__`.

    Returns:
      As `__call__`.
    """
    x = _through(self._groups[1:], x, is_training)
    return jnp.mean(x, axis=(1, 2), dtype=jnp.float32)

  def trunk(self, images: chex.Array, is_training: bool) -> chex.Array:
    """The map before the last group (conv4 of a ResNet-50).

    Args:
      images: as `__call__`.
      is_training: as `__call__`.

    Returns:
      [batch, height / stride, width / stride, channels].
    """
    x = self._stem(images, is_training)
    return _through(self._groups[:-1], x, is_training)

  def last_group(self, x: chex.Array, is_training: bool) -> chex.Array:
    """The last map (conv5 of a ResNet-50) from that of `trunk`, or of a part.

    Args:
      x: [batch, height, width, channels].
      is_training: as `__call__`.

    Returns:
      [batch, height / 2, width / 2, channels], without halving if dilated.
    """
    return _through(self._groups[-1:], x, is_training)

  def _stem(self, images, is_training):
    x = self._conv(images)
    if self._pool:
      return jax.nn.relu(branches.max_pool(self._norm, x, is_training))
    return jax.nn.relu(self._norm(x, is_training))


class _BlockGroup(hk.Module):
  """Blocks on one resolution; the first one halves and projects."""

  def __init__(self, num_blocks, channels, stride, make_block, name):
    super().__init__(name=name)
    self._blocks = [
      make_block(channels, stride if i == 0 else 1, i == 0, f"block_{i}")
      for i in range(num_blocks)
    ]

  def __call__(self, x, is_training):
    return _through(self._blocks, x, is_training)


def _through(modules, x, is_training):
  for module in modules:
    x = module(x, is_training)
  return x


def _block_maker(architecture, zero_init_last_scale, make_norm, dilation):
  """A function of (channels, stride, project, name) that builds a block."""

  def make_block(channels, stride, project, name):
    if architecture.bottleneck:
      inner = channels // BOTTLENECK_FACTOR
      convs = ((inner, 1, 1), (inner, 3, stride), (channels, 1, 1))
    else:
      convs = ((channels, 3, stride), (channels, 3, 1))
    convs = [(*conv, dilation) for conv in convs]
    shortcut = (channels, 1, stride, 1) if project else None
    return _Block(convs, shortcut, zero_init_last_scale, make_norm, name)

  return make_block


class _Block(hk.Module):
  """relu(shortcut(x) + convolutions(x)), each convolution with its norm."""

  def __init__(self, convs, shortcut, zero_init_last_scale, make_norm, name):
    super().__init__(name=name)
    self._shortcut = None
    if shortcut:
      self._shortcut = (
        _conv(shortcut, "shortcut_conv"),
        make_norm("shortcut_batchnorm", False),
      )
    last = len(convs) - 1
    self._layers = [
      (
        _conv(layer, f"conv_{i}"),
        make_norm(f"batchnorm_{i}", zero_init_last_scale and i == last),
      )
      for i, layer in enumerate(convs)
    ]

  def __call__(self, x, is_training):
    if self._shortcut:  # Drawn before the weights of the other convolutions.
      self._shortcut[0].weight(x)
    (*inner, last), y = self._layers, x
    for conv, norm in inner:
      y = jax.nn.relu(norm(conv(y), is_training))
    ends = [branches.Branch(*last, y)]
    if self._shortcut:
      ends.append(branches.Branch(*self._shortcut, x))
    y = branches.add(ends, is_training)
    return layers.relu(y if self._shortcut else y + x)


def _conv(layer, name):
  channels, kernel, stride, dilation = layer
  return layers.Conv(channels, kernel, stride, name, dilation)
