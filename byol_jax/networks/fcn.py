"""The fully convolutional network of semantic segmentation."""

from collections.abc import Sequence
from typing import NamedTuple

import chex
import haiku as hk
import jax
import jax.numpy as jnp

from byol_jax.networks import centres, dense, layers, network, norms


class Settings(NamedTuple):
  """What shapes the network besides the encoder.

  Attributes:
    num_classes: channels of the logits.
    last_dilation: of the encoder's last group; above 1 it keeps its resolution.
    head_channels: of the head's 3x3 convolutions; 256 and 256 in the paper.
    head_dilation: of these; 6 in the paper.
    compute_dtype: of the maps while training, "float32" or "bfloat16".
  """

  num_classes: int
  last_dilation: int
  head_channels: tuple[int, ...]
  head_dilation: int
  compute_dtype: str


def make_network(
  spec: network.EncoderSpec, settings: Settings, axis_name: str
) -> dense.Functions:
  """Builds FCN-16s on a ResNet.

  Source: paper, "Transfer to other vision tasks", after MoCo: the 3x3
  convolutions of the last group have dilation 2 and stride 1, two more 3x3
  convolutions of dilation 6 follow, each with batch norm and ReLU, then a 1x1
  classifier: one logit for 16x16 pixels, painted over them.

  Args:
    spec: shape of the encoder.
    settings: shape of the rest.
    axis_name: mapped axis over which batch statistics are averaged.

  Returns:
    Functions of images [batch, height, width, 3] in [0, 1], whose outputs are
    logits [batch, height, width, num_classes] float32.
  """

  def forward(images, modes):
    # Averages are for evaluation, which is float32.
    dtype = settings.compute_dtype if modes.head else "float32"
    encoder = dense.backbone(spec, axis_name, settings.last_dilation, dtype)
    x = encoder.last_group(encoder.trunk(images, modes.trunk), modes.last_group)
    make_norm = dense.head_norm(spec, axis_name)
    logits = _Head(settings, make_norm)(x, modes.head)
    number = centres.num_groups(spec, settings.last_dilation)
    return paint(logits, images.shape[1:3], spec, number)

  return dense.functions(forward)


def paint(
  logits: chex.Array,
  size: Sequence[int],
  spec: network.EncoderSpec,
  num_groups: int,
) -> chex.Array:
  """Logits of each pixel, linear between the pixels that the cells look at.

  Not half-pixel centres: with those a cell's answer would lie up to half a cell
  beside what it saw, and at another place at 512 than at 513 pixels.

  Args:
    logits: [batch, rows, columns, classes] of pictures of that size.
    size: height and width of the pictures.
    spec: shape of the encoder.
    num_groups: as `centres.first`.

  Returns:
    [batch, height, width, classes].
  """
  rows, columns = (centres.weights(spec, side, num_groups) for side in size)
  chex.assert_shape(logits, (None, rows.shape[1], columns.shape[1], None))
  highest = jax.lax.Precision.HIGHEST
  tall = jnp.einsum("yh,bhwc->bywc", rows, logits, precision=highest)
  return jnp.einsum("xw,bywc->byxc", columns, tall, precision=highest)


class _Head(hk.Module):
  """What follows the encoder."""

  def __init__(self, settings: Settings, make_norm: norms.MakeNorm):
    super().__init__(name="segmentation_head")
    self._layers = [
      (
        layers.Conv(channels, 3, 1, f"conv_{i}", settings.head_dilation),
        make_norm(f"batchnorm_{i}", False),
      )
      for i, channels in enumerate(settings.head_channels)
    ]
    self._classifier = hk.Linear(settings.num_classes, name="classifier")

  def __call__(self, x, is_training):
    for conv, norm in self._layers:
      x = jax.nn.relu(norm(conv(x), is_training))
    return self._classifier(x.astype(jnp.float32))
