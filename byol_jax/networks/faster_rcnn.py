"""The layers that Faster R-CNN adds to an encoder (arXiv 1506.01497)."""

import chex
import haiku as hk
import jax
import jax.numpy as jnp

from byol_jax.networks import layers

# Of the released code: proposals and classes, displacements of the head.
_STDDEV, _SMALL_STDDEV = 0.01, 0.001


class ProposalHead(hk.Module):
  """Whether there is something at each anchor of a map, and where."""

  def __init__(self, channels: int, num_shapes: int):
    """Builds the layers.

    Args:
      channels: of the 3x3 convolution.
      num_shapes: anchors of each place.
    """
    super().__init__(name="proposal_head")
    self._hidden = layers.Conv(channels, 3, 1, "conv")
    self._bias = hk.Bias(bias_dims=[-1], name="conv_bias")
    self._objectness = _linear(num_shapes, _STDDEV, "objectness")
    self._displacements = _linear(4 * num_shapes, _STDDEV, "displacements")

  def __call__(self, features: chex.Array) -> tuple[chex.Array, chex.Array]:
    """Maps [batch, height, width, channels] to logits and displacements.

    Returns:
      [batch, n] and [batch, n, 4] float32, in the order of `anchors.grid`.
    """
    x = self._hidden(features).astype(jnp.float32)
    x = jax.nn.relu(self._bias(x))
    batch = len(features)
    return (
      self._objectness(x).reshape(batch, -1),
      self._displacements(x).reshape(batch, -1, 4),
    )


class BoxHead(hk.Module):
  """What is in a box, and how the box is displaced if it is that."""

  def __init__(self, num_classes: int):
    """Builds the layers.

    Args:
      num_classes: without background.
    """
    super().__init__(name="box_head")
    self._classes = num_classes
    self._logits = _linear(1 + num_classes, _STDDEV, "logits")
    self._displacements = _linear(
      4 * num_classes, _SMALL_STDDEV, "displacements"
    )

  def __call__(self, features: chex.Array) -> tuple[chex.Array, chex.Array]:
    """Maps [..., channels] to what each box is.

    Returns:
      [..., 1 + classes] logits, background first, and [..., classes, 4].
    """
    displacements = self._displacements(features)
    shape = (*features.shape[:-1], self._classes, 4)
    return self._logits(features), displacements.reshape(shape)


def _linear(size: int, stddev: float, name: str) -> hk.Linear:
  start = hk.initializers.RandomNormal(stddev)
  return hk.Linear(size, w_init=start, name=name)
