"""Weighted nearest-neighbour classification of representations, pure.

The bank comes in pieces: each piece may replace some of the neighbours found so
far, so no matrix of all queries by all of the bank ever exists.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from byol_jax import objectives

# Members of a group in the search for the highest; 8 and 32 are no faster.
_GROUP = 16


class Nearest(NamedTuple):
  """The nearest neighbours of each query in the bank so far.

  Attributes:
    cosines: [..., k] highest first; -inf where the bank had fewer than k.
    labels: [..., k] int32, of the same neighbours.
  """

  cosines: chex.Array
  labels: chex.Array


class Piece(NamedTuple):
  """A part of the bank.

  Attributes:
    features: [rows, dim], any scale.
    labels: [rows] int32 in [0, classes).
  """

  features: chex.Array
  labels: chex.Array


def no_neighbours(shape: tuple[int, ...], num_neighbours: int) -> Nearest:
  """Where a search begins: nothing found for queries of this shape."""
  shape = (*shape, num_neighbours)
  return Nearest(jnp.full(shape, -jnp.inf), jnp.zeros(shape, jnp.int32))


def nearer(nearest: Nearest, queries: chex.Array, piece: Piece) -> Nearest:
  """Lets a piece of the bank replace neighbours that are farther away.

  Exact, at full float32 precision. Among equal cosines the earlier in the bank
  is nearer, however the bank is cut.

  Args:
    nearest: [blocks, block_size, k] of the pieces before.
    queries: [blocks, block_size, dim], any scale. Cosines exist for two
      blocks at a time, [block_size, rows] each.
    piece: of the bank.

  Returns:
    [blocks, block_size, k] with this piece.
  """
  chex.assert_rank((queries, piece.features, piece.labels), (3, 2, 1))
  chex.assert_equal_shape_suffix((queries, piece.features), 1)
  chex.assert_equal_shape_prefix((queries, *nearest), 2)
  bank = objectives.unit(piece.features)

  def step(_, block):
    return None, _merge(*block, piece._replace(features=bank))

  # Two at once: XLA's top-k takes one core, so two of them use two.
  return jax.lax.scan(step, None, (nearest, queries), unroll=2)[1]


def votes(
  nearest: Nearest,
  num_classes: int,
  num_neighbours: tuple[int, ...],
  temperature: float,
) -> chex.Array:
  """Lets each query's nearest bank entries vote for their classes.

  A neighbour's vote weighs exp(cosine / temperature) (Wu et al. 2018,
  arXiv 1805.01978).

  Args:
    nearest: [num_queries, k]; at least one neighbour each.
    num_classes: width of the result.
    num_neighbours: how many vote, one result for each; at most k. Where the
      bank is smaller, all of it votes.
    temperature: above 0; 0.07 is usual.

  Returns:
    [len(num_neighbours), num_queries, num_classes] sums of votes, relative to
    the nearest one's.
  """
  chex.assert_rank(nearest.cosines, 2)
  weights = jnp.exp((nearest.cosines - nearest.cosines[:, :1]) / temperature)
  places = jnp.arange(weights.shape[-1])
  voting = places[None, :] < jnp.array(num_neighbours)[:, None]
  return jnp.einsum(
    "nqk,qkc->nqc",
    jnp.where(voting[:, None, :], weights[None], 0.0),
    jax.nn.one_hot(nearest.labels, num_classes),
    # Accelerators multiply in bfloat16 unless told otherwise.
    precision=jax.lax.Precision.HIGHEST,
  )


def _merge(nearest: Nearest, queries: chex.Array, piece: Piece) -> Nearest:
  """The highest of those so far and those of a piece; one block."""
  num_neighbours = nearest.cosines.shape[-1]
  cosines = jnp.matmul(
    objectives.unit(queries),
    piece.features.T,
    precision=jax.lax.Precision.HIGHEST,
  )
  places = _candidates(cosines, num_neighbours)
  both = jnp.concatenate((nearest.cosines, _take(cosines, places)), axis=1)
  highest, best = jax.lax.top_k(both, num_neighbours)
  # Labels of the chosen alone: gathering costs more than choosing.
  new = jnp.maximum(best - num_neighbours, 0)
  old = jnp.minimum(best, num_neighbours - 1)
  labels = jnp.where(
    best < num_neighbours,
    _take(nearest.labels, old),
    piece.labels[_take(places, new)],
  )
  return Nearest(highest, labels)


def _candidates(values: chex.Array, k: int) -> chex.Array:
  """Columns of each row, [rows, some], ascending, with its k highest in them.

  Whatever lies outside the k groups of the highest maxima has k values that are
  higher, or as high and further left. Top-k is slow on wide rows, and maxima
  are fast.
  """
  rows, width = values.shape
  everything = jnp.broadcast_to(jnp.arange(width)[None, :], values.shape)
  if width <= _GROUP * k:
    return everything
  grouped = width // _GROUP * _GROUP
  maxima = values[:, :grouped].reshape(rows, -1, _GROUP).max(axis=-1)
  places = _candidates(maxima, k)
  _, best = jax.lax.top_k(_take(maxima, places), k)
  groups = jnp.sort(_take(places, best), axis=1)[:, :, None]
  members = groups * _GROUP + jnp.arange(_GROUP)[None, None, :]
  members = members.reshape(rows, _GROUP * k)
  # Columns that fill no group are always among them.
  return jnp.concatenate((members, everything[:, grouped:]), axis=1)


def _take(values: chex.Array, places: chex.Array) -> chex.Array:
  return jnp.take_along_axis(values, places, axis=1, mode="promise_in_bounds")
