"""Of overlapping boxes only the best, in a fixed number of steps."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from byol_jax.detection import boxes as boxes_lib


class Kept(NamedTuple):
  """What is left.

  Attributes:
    index: [num] int32, by falling score; 0 where there is nothing.
    valid: [num] bool, whether there is something.
  """

  index: chex.Array
  valid: chex.Array


def suppress(
  boxes: chex.Array,
  scores: chex.Array,
  groups: chex.Array,
  threshold: float,
  num: int,
) -> Kept:
  """Greedy non-maximum suppression.

  Takes the best box that is left, `num` times, and each time drops those of its
  group that overlap it. The memory is that of the boxes, not of their pairs.

  Args:
    boxes: [n, 4].
    scores: [n]; -inf for boxes that do not count. Of equal scores the first
      comes first.
    groups: [n] int32; boxes of different groups (classes) live side by side.
    threshold: an overlap above it drops a box.
    num: boxes to keep at most.

  Returns:
    A `Kept` of `num`.
  """
  chex.assert_shape((scores, groups), (len(boxes),))

  def take(scores, _):
    best = jnp.argmax(scores)
    overlaps = boxes_lib.overlap(boxes[best][None], boxes)[0]
    dropped = (overlaps > threshold) & (groups == groups[best])
    # A box without inside does not overlap even itself.
    dropped |= jnp.arange(len(boxes)) == best
    valid = scores[best] > -jnp.inf
    left = jnp.where(dropped, -jnp.inf, scores)
    return left, (jnp.where(valid, best, 0).astype(jnp.int32), valid)

  _, (index, valid) = jax.lax.scan(take, scores, None, length=num)
  return Kept(index, valid)
