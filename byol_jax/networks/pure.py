"""Haiku modules as two pure functions, of one view or of several."""

from collections.abc import Callable
from typing import Any

import chex
import haiku as hk
import jax
import jax.numpy as jnp

from byol_jax import platforms
from byol_jax.networks import norms
from byol_jax.types import Variables

# Axes of a batch of images.
_ONE_VIEW = 4


def functions(
  function: Callable[[chex.Array, bool], Any],
) -> tuple[Callable, Callable]:
  """The functions of a `network.Network`.

  Args:
    function: of (images, is_training), calls Haiku modules.

  Returns:
    `init` and `apply`, as `network.Network` has them, which return what
    `function` does in the place of outputs.
  """
  forward = hk.transform_with_state(function)

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
    # One convolution for all views: fewer, larger pieces of work.
    return jax.vmap(
      lambda x: forward.apply(*variables, None, x, True),
      out_axes=(0, None),
      axis_name=norms.VIEWS,
    )(images)

  return init, apply


def _one_after_the_other(apply, variables, images):
  """As all views at once, in pieces that fit a CPU's caches better."""
  outputs, stats = [], variables.stats
  for view in images:
    seen, stats = apply(Variables(variables.params, stats), view, True)
    outputs.append(seen)
  return jax.tree.map(lambda *x: jnp.stack(x), *outputs), stats
