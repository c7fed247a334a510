"""Norms with what stands around them, as it is computed with less work."""

import functools
import operator
from collections.abc import Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from byol_jax.networks import layers, moments, norms


class Branch(NamedTuple):
  """A convolution, its norm, and what they are of.

  Attributes:
    conv: the layer.
    norm: the layer that follows.
    x: [batch, height, width, in].
  """

  conv: layers.Conv
  norm: norms.Norm
  x: chex.Array


def add(branches: Sequence[Branch], is_training: bool) -> chex.Array:
  """Adds what branches make of their inputs.

  Args:
    branches: at least one, with outputs of one shape.
    is_training: normalise by the batch's own statistics.

  Returns:
    [batch, height, width, channels].
  """
  by_moments, found = [], []
  for branch in branches:
    if is_training and _pays(branch):
      by_moments.append(branch)
    else:
      found.append(branch.norm(branch.conv(branch.x), is_training))
  if by_moments:
    found.append(_add_by_moments(by_moments))
  return functools.reduce(operator.add, found)


def max_pool(norm: norms.Norm, x: chex.Array, is_training: bool) -> chex.Array:
  """The max-pool of a norm.

  A batch norm's order is its input's, or where its scale is negative the
  reverse: in training the input is pooled, and the norm computed on a quarter
  of the pixels.

  Args:
    norm: of the pictures.
    x: [batch, height, width, channels].
    is_training: normalise by the batch's own statistics.

  Returns:
    [batch, ceil(height / 2), ceil(width / 2), channels].
  """
  if not (is_training and isinstance(norm, norms.BatchNorm)):
    return layers.max_pool(norm(x, is_training))
  scale, offset = norm.parameters((1, 1, 1, x.shape[-1]))
  sign = jnp.where(scale < 0.0, -1.0, 1.0)
  x *= sign.astype(x.dtype)
  mean, variance = norm.observe(x)
  norm.update_averages(sign * mean, variance)
  factor = norm.factor(sign * scale, variance)
  largest = layers.max_pool(x).astype(jnp.float32)
  return ((largest - mean) * factor + offset).astype(x.dtype)


def _pays(branch):
  """Whether the moments of its input are the faster way."""
  conv, norm, x = branch
  if not (isinstance(norm, norms.BatchNorm) and conv.is_of_one_pixel):
    return False
  return moments.pay(x, conv.channels)


def _add_by_moments(branches):
  """As `add`, of batch norms of convolutions of one pixel, in training."""
  settings = branches[0].norm.settings
  given = []
  for conv, norm, x in branches:
    weight = conv.weight(x)
    scale, offset = norm.parameters((1, 1, 1, conv.channels))
    if settings.num_abreast == 1:
      # Kept: else XLA transposes it anew for each that takes it, where the
      # views are in the batch.
      x = jax.lax.optimization_barrier(x)
    given.append(moments.Term(x, weight, scale, offset))
  total, statistics = moments.add(
    tuple(given), settings.epsilon, settings.axis_name
  )
  for (_, norm, _), of_branch in zip(branches, statistics, strict=True):
    norm.update_averages(*of_branch)
  return total
