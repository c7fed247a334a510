"""Boxes as arrays: overlap, displacement and limits.

A box is ymin, xmin, ymax, xmax in pixels; pixel p covers [p, p + 1), so that a
box of a whole picture is 0, 0, height, width.
"""

import math

import chex
import jax.numpy as jnp

# Height and width that a displacement may reach are 1000 / 16 of the anchor's
# (arXiv 1506.01497, released code): exp must not overflow.
_MAX_LOG_SCALE = math.log(1000.0 / 16.0)
# Sides are at least so many pixels where they are divided by.
_TINY = 1e-3


def area(boxes: chex.Array) -> chex.Array:
  """Areas [...] of boxes [..., 4]; 0 where a box has no inside."""
  sides = jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
  return sides[..., 0] * sides[..., 1]


def overlap(one: chex.Array, other: chex.Array) -> chex.Array:
  """Intersection over union of every pair.

  Args:
    one: [n, 4].
    other: [m, 4].

  Returns:
    [n, m] in [0, 1]; 0 for two boxes without inside.
  """
  chex.assert_shape((one, other), (None, 4))
  low = jnp.maximum(one[:, None, :2], other[None, :, :2])
  high = jnp.minimum(one[:, None, 2:], other[None, :, 2:])
  sides = jnp.maximum(high - low, 0.0)
  both = sides[..., 0] * sides[..., 1]
  either = area(one)[:, None] + area(other)[None, :] - both
  return jnp.where(either > 0.0, both / jnp.where(either > 0.0, either, 1), 0.0)


def encode(boxes: chex.Array, anchors: chex.Array) -> chex.Array:
  """Displacements that turn anchors into boxes (arXiv 1311.2524, appendix C).

  Args:
    boxes: [..., 4].
    anchors: [..., 4], of positive sides.

  Returns:
    [..., 4]: of the centre, in sides of the anchor, and the logarithm of the
    ratio of the sides, each y before x.
  """
  chex.assert_equal_shape((boxes, anchors))
  centres, sides = _centres_and_sides(boxes)
  origins, units = _centres_and_sides(anchors)
  units = jnp.maximum(units, _TINY)
  scales = jnp.log(jnp.maximum(sides, _TINY) / units)
  return jnp.concatenate([(centres - origins) / units, scales], axis=-1)


def decode(displacements: chex.Array, anchors: chex.Array) -> chex.Array:
  """The boxes that displaced anchors are; undoes `encode`.

  Args:
    displacements: [..., 4]; scales are cut at 62.5.
    anchors: [..., 4].

  Returns:
    [..., 4].
  """
  chex.assert_equal_shape((displacements, anchors))
  origins, units = _centres_and_sides(anchors)
  centres = origins + displacements[..., :2] * units
  scales = jnp.exp(jnp.minimum(displacements[..., 2:], _MAX_LOG_SCALE))
  half = 0.5 * units * scales
  return jnp.concatenate([centres - half, centres + half], axis=-1)


def clip(boxes: chex.Array, size: chex.Array) -> chex.Array:
  """Cuts off what lies outside the picture.

  Args:
    boxes: [..., 4].
    size: [2] height and width.

  Returns:
    [..., 4].
  """
  limits = jnp.reshape(
    jnp.concatenate([size, size]).astype(boxes.dtype),
    (1,) * (boxes.ndim - 1) + (4,),
  )
  return jnp.clip(boxes, 0.0, limits)


def _centres_and_sides(boxes):
  low, high = boxes[..., :2], boxes[..., 2:]
  return 0.5 * (low + high), high - low
