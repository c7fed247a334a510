"""How fast a device multiplies and copies: what no step can beat."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Probe(NamedTuple):
  """Work of known size.

  Attributes:
    run: does it and waits.
    amount: operations, or bytes read and written.
  """

  run: Callable[[], None]
  amount: float


def matrix_product(dtype: str, side: int, count: int = 10) -> Probe:
  """Products of square matrices of random numbers, in operations.

  Args:
    dtype: of both, and of the product.
    side: rows and columns.
    count: products, one after the other.
  """
  keys = jax.random.split(jax.random.key(0))
  x, y = (jax.random.normal(key, (side, side), dtype) for key in keys)
  product = jax.jit(jnp.matmul)
  return Probe(
    lambda: jax.block_until_ready([product(x, y) for _ in range(count)]),
    2.0 * side**3 * count,
  )


def copy(size: int, count: int = 10) -> Probe:
  """Reads float32 numbers and writes others, in bytes.

  Args:
    size: of the array.
    count: how often, one after the other.
  """
  held = [jnp.zeros(size, jnp.float32)]
  step = jax.jit(lambda x: x + 1.0, donate_argnums=0)

  def run():
    for _ in range(count):
      held[0] = step(held[0])
    jax.block_until_ready(held)

  return Probe(run, 2.0 * 4 * size * count)
