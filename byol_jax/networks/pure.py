"""Haiku modules as two pure functions, of one view or of several."""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import haiku as hk
import jax
import jax.numpy as jnp

from byol_jax import platforms
from byol_jax.networks import norms
from byol_jax.types import Variables

# Axes of a batch of images.
_ONE_VIEW = 4


class Abreast(NamedTuple):
  """A function of several views whose first part sees all of them at once.

  Attributes:
    fits: images [views, batch, height, width, 3] to whether to use it.
    entry: such images to a map [views, batch, ...].
    rest: one view's map to what the whole function returns.
  """

  fits: Callable[[chex.Array], bool]
  entry: Callable[[chex.Array], chex.Array]
  rest: Callable[[chex.Array], Any]


def functions(
  function: Callable[[chex.Array, bool], Any], abreast: Abreast | None = None
) -> tuple[Callable, Callable]:
  """The functions of a `network.Network`.

  Args:
    function: of (images, is_training), calls Haiku modules.
    abreast: the same in training, of several views.

  Returns:
    `init` and `apply`, as `network.Network` has them, which return what
    `function` does in the place of outputs.
  """
  forward = hk.transform_with_state(function)
  in_parts = abreast and _in_parts(abreast)

  def init(key, images):
    seen = jax.vmap(
      lambda x: forward.init(key, x, True), axis_name=norms.VIEWS
    )(images[None])
    return Variables(*jax.tree.map(lambda x: x[0], seen))

  def apply(variables, images, is_training):
    if not is_training:
      return forward.apply(*variables, None, images, False)
    if images.ndim == _ONE_VIEW:
      outputs, stats = apply(variables, images[None], True)
      return jax.tree.map(lambda x: x[0], outputs), stats
    if len(images) > 1 and platforms.name() == "cpu":
      return _one_after_the_other(apply, variables, images)
    if abreast and abreast.fits(images):
      return in_parts(variables, images)
    # One convolution for all views: fewer, larger pieces of work.
    return jax.vmap(
      lambda x: forward.apply(*variables, None, x, True),
      out_axes=(0, None),
      axis_name=norms.VIEWS,
    )(images)

  return init, apply


def _in_parts(abreast):
  """As all views at once."""
  entry = hk.transform_with_state(abreast.entry)
  rest = hk.transform_with_state(abreast.rest)

  def apply(variables, images):
    params, stats = variables
    x, stats = entry.apply(params, stats, None, images)
    return jax.vmap(
      lambda x: rest.apply(params, stats, None, x),
      out_axes=(0, None),
      axis_name=norms.VIEWS,
    )(x)

  return apply


def _one_after_the_other(apply, variables, images):
  """As all views at once, in pieces that fit a CPU's caches better."""
  outputs, stats = [], variables.stats
  for view in images:
    seen, stats = apply(Variables(variables.params, stats), view, True)
    outputs.append(seen)
  return jax.tree.map(lambda *x: jnp.stack(x), *outputs), stats
