"""Holds the replicas of a state against each other, by a cheap hash."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from byol_jax import parallel

# Odd, so that no factor loses a bit: Knuth's, of multiplicative hashing.
_FACTOR = 2654435761


class ReplicaError(RuntimeError):
  """Devices that should hold the same numbers do not."""


class Copies(NamedTuple):
  """Arrays on the devices, by who should hold the same numbers.

  Attributes:
    of_all: all devices.
    of_place: devices in the same place of their hosts; of one host alone there
      is no second copy.
  """

  of_all: chex.ArrayTree
  of_place: chex.ArrayTree = ()


def check(copies: Copies, step: int) -> None:
  """Compares what devices should hold alike, bit by bit.

  One pass over the memory and two numbers from each device. Every host must
  call it.

  Args:
    copies: of a state.
    step: for the message.

  Raises:
    ReplicaError: some differ from those of host 0; names their hosts.
  """
  of_all, of_place = parallel.gather(_hashes()(copies)).T
  by_host = of_place.reshape(-1, parallel.num_local_devices())
  differ = (of_all != of_all[0]) | (by_host != by_host[0]).reshape(-1)
  wrong = np.flatnonzero(differ)
  if wrong.size:
    hosts = sorted({parallel.host_of(int(place)) for place in wrong})
    raise ReplicaError(
      f"At step {step} the parameters of host {_text(hosts)} (device"
      f" {_text(wrong.tolist())}) are not those of host 0, though all have"
      " done the same: a fault of the machine or of its network; begin"
      " again from the last checkpoint, without that machine."
    )


def fingerprint(tree: chex.ArrayTree) -> chex.Array:
  """A number that differs, but for chance, when any bit of a tree does.

  Args:
    tree: arrays of numbers, at most 32 bits each.

  Returns:
    uint32 scalar; equal parts in another order give another one.
  """
  total = jnp.uint32(0)
  for leaf in jax.tree.leaves(tree):
    bits = _bits(leaf).reshape(-1)
    weights = 2 * jnp.arange(bits.size, dtype=jnp.uint32) + 1
    total = total * jnp.uint32(_FACTOR) + jnp.sum(_mixed(bits) * weights)
  return total


@functools.cache
def _hashes() -> Callable:
  """Each device's fingerprint of each tree, [local_devices, 1, trees]."""
  return parallel.pmap(
    lambda trees: jnp.stack([*map(fingerprint, trees)])[None]
  )


def _bits(x: chex.Array) -> chex.Array:
  """The memory of each number, as uint32."""
  if x.dtype == jnp.bool_:
    return x.astype(jnp.uint32)
  unsigned = jnp.dtype(f"uint{8 * x.dtype.itemsize}")
  return jax.lax.bitcast_convert_type(x, unsigned).astype(jnp.uint32)


def _mixed(bits: chex.Array) -> chex.Array:
  """Spreads each bit over the number, so that few changes cancel out."""
  bits = (bits ^ (bits >> 16)) * jnp.uint32(_FACTOR)
  return bits ^ (bits >> 15)


def _text(numbers: list[int]) -> str:
  return ", ".join(map(str, numbers))
