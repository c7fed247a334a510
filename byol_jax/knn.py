"""Weighted nearest-neighbour classification of representations, pure."""

import functools

import chex
import jax
import jax.numpy as jnp

from byol_jax import objectives


@functools.partial(jax.jit, static_argnames=("num_classes", "num_neighbours"))
def votes(
  queries: chex.Array,
  bank: chex.Array,
  bank_labels: chex.Array,
  *,
  num_classes: int,
  num_neighbours: int,
  temperature: float,
) -> chex.Array:
  """Lets each query's nearest bank entries vote for their classes.

  A neighbour's vote weighs exp(cosine / temperature) (Wu et al. 2018,
  arXiv 1805.01978).

  Args:
    queries: [num_queries, dim], any scale.
    bank: [bank_size, dim], any scale.
    bank_labels: [bank_size] int32 in [0, num_classes).
    num_classes: width of the result.
    num_neighbours: how many vote, at most bank_size.
    temperature: above 0; 0.07 is usual.

  Returns:
    [num_queries, num_classes] sums of votes, relative to the nearest one's.
  """
  chex.assert_rank((queries, bank, bank_labels), (2, 2, 1))
  chex.assert_equal_shape_suffix((queries, bank), 1)
  # Accelerators multiply in bfloat16 unless told otherwise.
  cosines = jnp.matmul(
    objectives.unit(queries),
    objectives.unit(bank).T,
    precision=jax.lax.Precision.HIGHEST,
  )
  nearest, places = jax.lax.top_k(cosines, num_neighbours)
  weights = jnp.exp((nearest - nearest[:, :1]) / temperature)
  classes = jax.nn.one_hot(bank_labels[places], num_classes)
  return jnp.einsum("qk,qkc->qc", weights, classes)
