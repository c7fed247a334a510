"""Views side by side in the channels, where these are too few for a TPU.

A TPU computes in lanes of 128, and its memory holds as many: channels, or the
pictures of a large batch. Two views of 64 channels fill them: one picture for a
network of twice the width, whose weights lead from no channel of one view to
one of the other.
"""

import contextlib

import chex
import haiku as hk
import jax.numpy as jnp

from byol_jax import platforms
from byol_jax.networks import layers_tpu

# Without moments it was still faster with so many pictures, slower with 128.
_PICTURES = 64


def fit(
  num_channels: int, num_views: int, batch: int, by_moments: bool
) -> bool:
  """Whether views are to lie abreast: where that fills lanes (a TPU alone).

  Args:
    num_channels: of one view.
    num_views: that a step sees.
    batch: pictures of a view, on one device.
    by_moments: whether blocks end in norms from `moments`, which fill lanes by
      channels whatever the batch.
  """
  room = num_channels * num_views <= layers_tpu.LANES
  few = by_moments or num_views * batch <= _PICTURES
  return platforms.name() == "tpu" and num_views > 1 and room and few


def join(x: chex.Array) -> chex.Array:
  """Maps [views, batch, ..., channels] to [batch, ..., views * channels]."""
  x = jnp.moveaxis(x, 0, -2)
  return x.reshape(*x.shape[:-2], -1)


def part(x: chex.Array, num_views: int) -> chex.Array:
  """Maps [batch, ..., views * channels] to [views, batch, ..., channels]."""
  return jnp.moveaxis(x.reshape(*x.shape[:-1], num_views, -1), -2, 0)


def weights(num_views: int) -> contextlib.AbstractContextManager:
  """Lets the layers called within use their weights for each view.

  The layers are built for all views' channels; what is trained stays the
  parameter of one view. Within this context others may change it first.

  Args:
    num_views: whose channels lie side by side.
  """

  def getter(next_getter, value, context):
    value = next_getter(value)
    if context.name == "w":
      return _block_diagonal(value, num_views)
    return jnp.concatenate([value] * num_views, axis=-1)

  return hk.custom_getter(getter)


def _block_diagonal(weight, count):
  """Of [height, width, in, out], [height, width, count * in, count * out]."""
  zero = jnp.zeros_like(weight)
  rows = [
    jnp.concatenate([zero] * i + [weight] + [zero] * (count - 1 - i), axis=-1)
    for i in range(count)
  ]
  return jnp.concatenate(rows, axis=-2)
