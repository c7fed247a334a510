"""Norms of activations, of any kind, and of weights."""

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import chex
import haiku as hk
import jax
import jax.numpy as jnp

# Of activations [batch, ..., channels] and whether this is training.
Norm = Callable[[chex.Array, bool], chex.Array]
# Builds a norm from its module name and whether its scale starts at zero.
MakeNorm = Callable[[str, bool], Norm]

# The mapped axis of views that a network sees side by side.
VIEWS = "views"
# Added to the variance of the weights (arXiv 2010.10241).
_WEIGHT_EPSILON = 1e-4


class Settings(NamedTuple):
  """Numbers of the norms; each kind takes those that it knows.

  Attributes:
    groups: of group norm; a divisor of the channels.
    decay: share of the old batch-norm average that one batch keeps.
    epsilon: added to the variance.
    axis_name: mapped axis over which a batch's statistics are averaged.
    num_abreast: views whose channels lie side by side (`abreast`), of batch
      norm; 1 where the axis `VIEWS` is mapped.
  """

  groups: int
  decay: float
  epsilon: float
  axis_name: str
  num_abreast: int = 1


def maker(kind: str, settings: Settings) -> MakeNorm:
  """Chooses the norm.

  Activations may be of less precision than float32: statistics, parameters and
  arithmetic are float32, and the result is of the activations' type.

  Except "none", which has no parameters, each kind has a scale and an offset
  per channel. Their modules keep the names that batch norms have in the
  released code, whatever the kind.

  Args:
    kind: "batch", over batch and positions; "layer", over positions and
      channels of an example; "group", the same for each group of channels;
      "affine", as in `Affine`; "none".
    settings: of whatever kind.

  Returns:
    A function to be called inside a Haiku module.
  """
  make = _KINDS[kind]

  def make_norm(name, zero_scale):
    norm = make(settings, jnp.zeros if zero_scale else jnp.ones, name)
    if isinstance(norm, BatchNorm):
      return norm
    return lambda x, is_training: norm(
      x.astype(jnp.float32), is_training
    ).astype(x.dtype)

  return make_norm


class BatchNorm(hk.Module):
  """Batch norm over all devices, of each view by itself.

  Parameters, averages and their names are Haiku's. The axis `VIEWS` must be
  bound while training, unless the views lie abreast; the averages take one view
  after the other, as calls on each would.
  """

  def __init__(self, settings: Settings, start: Callable, name: str):
    """Builds the layer.

    Args:
      settings: of which all but the groups are used.
      start: from shape and dtype; the scale.
      name: module name.
    """
    super().__init__(name=name)
    self.settings = settings
    self._start = start
    self._mean = hk.ExponentialMovingAverage(settings.decay, name="mean_ema")
    self._variance = hk.ExponentialMovingAverage(settings.decay, name="var_ema")

  def __call__(self, x: chex.Array, is_training: bool) -> chex.Array:
    """Maps [batch, ..., channels] to the same shape."""
    dtype, x = x.dtype, x.astype(jnp.float32)
    if is_training:
      mean, variance = self.observe(x)
      self.update_averages(mean, variance)
    else:
      mean, variance = self._mean.average, self._variance.average
    scale, offset = self.parameters((1,) * (x.ndim - 1) + x.shape[-1:])
    factor = self.factor(scale, variance)
    return ((x - mean) * factor + offset).astype(dtype)

  def factor(self, scale: chex.Array, variance: chex.Array) -> chex.Array:
    """What centred activations are multiplied by."""
    return scale * jax.lax.rsqrt(variance + self.settings.epsilon)

  def observe(self, x: chex.Array) -> tuple[chex.Array, chex.Array]:
    """Mean and variance of [batch, ..., channels] on all devices."""
    x = x.astype(jnp.float32)
    axes = tuple(range(x.ndim - 1))
    local = [jnp.mean(y, axes, keepdims=True) for y in (x, jnp.square(x))]
    mean, square = jax.lax.pmean(local, self.settings.axis_name)
    return mean, square - jnp.square(mean)

  def parameters(self, shape: tuple[int, ...]) -> tuple[chex.Array, ...]:
    """Scale and offset, float32, of [1, ..., channels]."""
    scale = hk.get_parameter("scale", shape, jnp.float32, self._start)
    return scale, hk.get_parameter("offset", shape, jnp.float32, jnp.zeros)

  def update_averages(self, mean: chex.Array, variance: chex.Array) -> None:
    """Feeds statistics, [1, ..., channels], to the averages, view by view."""
    for average, value in ((self._mean, mean), (self._variance, variance)):
      for of_view in self._views(value):
        average(of_view)

  def _views(self, value):
    """What each view has, in turn."""
    if self.settings.num_abreast > 1:
      return jnp.split(value, self.settings.num_abreast, axis=-1)
    return jax.lax.all_gather(value, VIEWS)


class Affine(hk.Module):
  """A scale and an offset per channel, started from statistics, then trained.

  Source: arXiv 2010.10241, the initialisation without batch statistics: the
  batch that draws the parameters leaves with the mean and the variance that a
  batch norm would give it. No later batch has its statistics taken.
  """

  def __init__(self, settings: Settings, start: Callable, name: str):
    """Builds the layer.

    Args:
      settings: of which epsilon and axis name are used.
      start: from shape and dtype; the scale that a batch norm would start at.
      name: module name.
    """
    super().__init__(name=name)
    self._settings = settings
    self._start = start

  def __call__(self, x: chex.Array, is_training: bool) -> chex.Array:
    """Maps [batch, ..., channels] to the same shape."""
    del is_training

    def mean(values):
      local = jnp.mean(values, tuple(range(x.ndim - 1)), keepdims=True)
      return jax.lax.pmean(local, self._settings.axis_name)

    def init_scale(shape, dtype):
      variance = mean((x - mean(x)) ** 2) + self._settings.epsilon
      return self._start(shape, dtype) / jnp.sqrt(variance)

    shape = (1,) * (x.ndim - 1) + x.shape[-1:]
    scale = hk.get_parameter("scale", shape, x.dtype, init_scale)
    offset = hk.get_parameter(
      "offset", shape, x.dtype, lambda *_: -mean(x) * scale
    )
    return x * scale + offset


def standardized_weights(active: bool) -> contextlib.AbstractContextManager:
  """Lets the layers called within use standardised weights.

  What is drawn, trained and decayed stays the raw weight; biases and the
  parameters of norms are not touched.

  Args:
    active: False for a context that does nothing.
  """
  if not active:
    return contextlib.nullcontext()

  def getter(next_getter, value, context):
    if context.name == "w":
      value = standardize_weight(value)
    return next_getter(value)

  return hk.custom_getter(getter)


def standardize_weight(weight: chex.Array) -> chex.Array:
  """Brings the weights of each output unit to mean 0 and variance 1.

  Args:
    weight: [..., outputs] of a convolution or a linear layer.
  """
  axes = tuple(range(weight.ndim - 1))
  mean = jnp.mean(weight, axes, keepdims=True)
  variance = jnp.var(weight, axes, keepdims=True)
  return (weight - mean) / jnp.sqrt(variance + _WEIGHT_EPSILON)


def _layer(settings, start, name):
  norm = hk.LayerNorm(
    axis=slice(1, None),
    param_axis=-1,
    create_scale=True,
    create_offset=True,
    eps=settings.epsilon,
    scale_init=start,
    name=name,
  )
  return lambda x, is_training: norm(x)


def _group(settings, start, name):
  norm = hk.GroupNorm(
    settings.groups, eps=settings.epsilon, scale_init=start, name=name
  )
  return lambda x, is_training: norm(x)


def _none(settings, start, name):
  del settings, start, name
  return lambda x, is_training: x


_KINDS = {
  "batch": BatchNorm,
  "layer": _layer,
  "group": _group,
  "affine": Affine,
  "none": _none,
}
