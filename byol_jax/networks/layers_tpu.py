"""Convolutions as a TPU computes them faster (docs/performance.md)."""

import chex
import jax
import jax.numpy as jnp

from byol_jax.networks import windows

# Numbers that a TPU takes at a time.
LANES = 128
# Channels that are no more than the colours of two views.
_COLOURS = 6


def conv(x: chex.Array, weight: chex.Array, stride: int) -> chex.Array:
  """As `layers.conv`."""
  if stride == 2 and x.shape[-1] <= _COLOURS and _is_even(x):
    return _conv_by_square(x, weight)
  return windows.conv(x, weight, stride)


@jax.custom_vjp
def relu(x: chex.Array) -> chex.Array:
  """As `layers.relu`: computed once, and its gradient from the result.

  Left to itself XLA computes a block's output anew for each that takes it, from
  the outputs of all blocks before, and keeps x beside it for the gradient.
  """
  return jax.lax.optimization_barrier(jax.nn.relu(x))


def _is_even(x: chex.Array) -> bool:
  return x.shape[1] % 2 == 0 and x.shape[2] % 2 == 0


def _conv_by_square(x, weight):
  """Of squares of 2x2 pixels, with stride 1: colours alone fill no lanes.

  For a kernel of odd size and a picture of even size, where SAME has one more
  pixel after the picture than before it, or as many.
  """
  batch, height, width, channels = x.shape
  kernel, _, _, out = weight.shape
  before, _ = windows.padding(height, kernel, 2)
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
    dimension_numbers=windows.LAYOUT,
  )


def _relu_forward(x):
  out = relu(x)
  return out, out


def _relu_backward(out, gradient):
  return (jnp.where(out > 0, gradient, jnp.zeros_like(gradient)),)


relu.defvjp(_relu_forward, _relu_backward)
