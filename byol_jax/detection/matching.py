"""Which boxes are examples of what, and which of them are trained on."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from byol_jax.detection import boxes as boxes_lib


class Matches(NamedTuple):
  """What each candidate is to be.

  Attributes:
    truth: [n] int32, the object that overlaps it most.
    positive: [n] bool, an example of that object.
    negative: [n] bool, an example of background.
  """

  truth: chex.Array
  positive: chex.Array
  negative: chex.Array


class Sample(NamedTuple):
  """The candidates that are trained on.

  Attributes:
    index: [num] int32 into the candidates, positives first.
    positive: [num] bool, an example of an object.
    valid: [num] bool, an example of anything: False fills up.
  """

  index: chex.Array
  positive: chex.Array
  valid: chex.Array


def match(
  candidates: chex.Array,
  truth: chex.Array,
  present: chex.Array,
  thresholds: tuple[float, float],
  best: bool,
) -> Matches:
  """Compares candidates with the objects of a picture.

  Args:
    candidates: [n, 4].
    truth: [m, 4] boxes of the objects, padded.
    present: [m] bool, False for padding.
    thresholds: background below the first overlap, an object from the second
      on; in between a candidate is neither.
    best: whether an object's best candidates are its examples, too, however
      little they overlap (arXiv 1506.01497, section 3.1.2).

  Returns:
    A `Matches` of n.
  """
  chex.assert_shape(present, (len(truth),))
  # Objects first: a reduction over them goes through long rows of candidates.
  overlaps = boxes_lib.overlap(truth, candidates)
  overlaps = jnp.where(present[:, None], overlaps, -1.0)
  highest = jnp.max(overlaps, axis=0)
  owner = _first(overlaps == highest[None])
  positive = highest >= thresholds[1]
  if best:
    of_truth = jnp.max(overlaps, axis=1, keepdims=True)
    is_best = (overlaps == of_truth) & (of_truth > 0.0)
    any_best = jnp.any(is_best, axis=0)
    # A candidate that is the best of one object is that one's example.
    owner = jnp.where(any_best & ~positive, _first(is_best), owner)
    positive |= any_best
  negative = (highest < thresholds[0]) & ~positive
  return Matches(owner, positive, negative)


def sample(
  key: chex.PRNGKey, matches: Matches, num: int, share: float
) -> Sample:
  """Draws examples, of objects at most a share and background for the rest.

  Args:
    key: of the draw.
    matches: of n candidates.
    num: examples, at most n.
    share: of the positives, at most; at least one may be there.

  Returns:
    A `Sample` of `num`.
  """
  draw = jax.random.uniform(key, matches.positive.shape)
  most = max(1, round(num * share))
  highest, _ = jax.lax.top_k(jnp.where(matches.positive, draw, -1.0), most)
  chosen = matches.positive & (draw >= highest[-1])
  order = jnp.where(chosen, 2.0 + draw, jnp.where(matches.negative, draw, -1.0))
  value, index = jax.lax.top_k(order, num)
  return Sample(index.astype(jnp.int32), value >= 2.0, value >= 0.0)


def _first(marks: chex.Array) -> chex.Array:
  """The first marked row in each column of [m, n], int32; 0 for none."""
  rows = jnp.arange(len(marks), dtype=jnp.int32)[:, None]
  first = jnp.min(jnp.where(marks, rows, len(marks)), axis=0)
  return jnp.where(first < len(marks), first, 0)
