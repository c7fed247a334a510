"""Classification by the nearest training pictures."""

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from byol_jax import knn, metrics, parallel
from byol_jax.evaluation.features import Features

# Queries whose cosines exist at once, per device.
_BLOCK = 128
# Rows of queries or of the bank on a device at once, and their bytes: three
# pieces of the bank and a normalised one are 2 GiB of an accelerator's memory.
_MAX_ROWS = 2**16
_MAX_BYTES = 2**29
# A prediction counts if the label is among so many classes.
_TOP = (1, 5)


class Settings(NamedTuple):
  """Settings of the nearest-neighbour classifier.

  Attributes:
    neighbours: how many vote, one pair of scores for each; more than the bank
      has means all of it.
    temperature: above 0, of the votes' weights.
  """

  neighbours: tuple[int, ...]
  temperature: float


def scores(
  bank: Features, test: Features, num_classes: int, settings: Settings
) -> dict[str, float]:
  """Lets each test picture's nearest pictures of the bank vote for its class.

  One search serves all numbers of neighbours. The bank stays in the host's
  memory and passes the devices in pieces; the test pictures are spread over
  all devices of all hosts, each of which must have all features.

  Args:
    bank: features of labelled training pictures.
    test: features of labelled test pictures.
    num_classes: above every label.
    settings: numbers of neighbours, temperature.

  Returns:
    `top1_k20`, `top5_k20` and so on, shares in [0, 1].

  Raises:
    ValueError: a part is empty or not labelled with one class per picture, a
      label is outside the range, or the features have different widths.
  """
  _check(bank, test, num_classes)
  count = _judge(num_classes, settings)
  right = 0
  for queries, labels in _spread_queries(test):
    nearest = _nearest(queries, bank, max(settings.neighbours))
    # Each device has counted its own; whatever their order, the sum is exact.
    right += parallel.gather(count(nearest, labels)[:, None]).sum(axis=0)
  shares = right / len(test.labels)
  return {
    f"top{top}_k{num_neighbours}": float(shares[row, column])
    for row, num_neighbours in enumerate(settings.neighbours)
    for column, top in enumerate(_TOP)
  }


def _check(bank: Features, test: Features, num_classes: int) -> None:
  for name, part in (("bank", bank), ("test", test)):
    _check_labels(name, part, num_classes)
  widths = [part.representation.shape[1] for part in (bank, test)]
  if widths[0] != widths[1]:
    raise ValueError(
      f"The bank's features have {widths[0]} dimensions, the test's"
      f" {widths[1]}; they must agree."
    )


def _check_labels(name: str, part: Features, num_classes: int) -> None:
  labels, count = part.labels, len(part.representation)
  if not count or labels.shape != (count,):
    raise ValueError(
      f"k-NN needs one label for each picture, got {labels.shape} labels of"
      f" {count} pictures ({name})."
    )
  outside = labels[(labels < 0) | (labels >= num_classes)]
  if outside.size:
    raise ValueError(
      f"Labels must be in [0, {num_classes}), got {outside[0]} ({name})."
    )


def _spread_queries(
  test: Features,
) -> Iterator[tuple[chex.Array, chex.Array]]:
  """Features and labels of this host, [local_devices, blocks, block, ...].

  What is missing from the last block is labelled -1.
  """
  count, multiple = parallel.num_devices(), parallel.num_devices() * _BLOCK
  rows = _even_size(len(test.labels), count * _max_rows(test))
  rows += -rows % multiple
  own = rows // parallel.num_hosts()
  for start in range(0, len(test.labels), rows):
    piece = slice(start + parallel.host() * own, start + rows)
    part = {
      "x": test.representation[piece][:own],
      "y": test.labels[piece][:own],
    }
    part["x"] = _pad(part["x"], own, 0.0).reshape(own // _BLOCK, _BLOCK, -1)
    part["y"] = _pad(part["y"], own, -1).reshape(own // _BLOCK, _BLOCK)
    part = parallel.shard(part)
    yield part["x"], part["y"]


def _nearest(
  queries: chex.Array, bank: Features, num_neighbours: int
) -> knn.Nearest:
  """Searches the whole bank, [local_devices, blocks, block, neighbours]."""
  begin, search = _search(num_neighbours)
  nearest = begin(queries)
  rows = _even_size(len(bank.labels), _max_rows(bank))
  starts = range(0, len(bank.labels), rows)
  pieces = (_piece(bank, slice(start, start + rows)) for start in starts)
  for piece in parallel.prefetch(pieces, parallel.replicate):
    # The host would otherwise place the whole bank while the devices search.
    nearest = jax.block_until_ready(search(nearest, queries, piece))
  return nearest


def _piece(bank: Features, rows: slice) -> knn.Piece:
  return knn.Piece(bank.representation[rows], bank.labels[rows])


@functools.cache
def _search(num_neighbours: int) -> tuple[Callable, Callable]:
  """Per-device beginning and step, kept so that each compiles once."""

  def begin(queries):
    return knn.no_neighbours(queries.shape[:2], num_neighbours)

  return parallel.pmap(begin), parallel.pmap(knn.nearer, donate=True)


@functools.cache
def _judge(num_classes: int, settings: Settings) -> Callable:
  """Per-device counts of right answers, [len(neighbours), len(_TOP)] int32."""
  in_top_k = jax.vmap(metrics.in_top_k, in_axes=(0, None, None))

  def block_count(block):
    nearest, labels = block
    votes = knn.votes(
      nearest, num_classes, settings.neighbours, settings.temperature
    )
    right = jnp.stack([in_top_k(votes, labels, top) for top in _TOP], axis=1)
    return jnp.sum(right & (labels >= 0)[None, None, :], axis=-1)

  def count(nearest, labels):
    return jnp.sum(jax.lax.map(block_count, (nearest, labels)), axis=0)

  return parallel.pmap(count)


def _max_rows(part: Features) -> int:
  fitting = _MAX_BYTES // max(part.representation[:1].nbytes, 1)
  return max(1, min(_MAX_ROWS, fitting))


def _even_size(count: int, most: int) -> int:
  """The size, `most` or less, of the fewest pieces about equally large."""
  return -(-count // -(-count // most))


def _pad(x: np.ndarray, rows: int, value: float) -> np.ndarray:
  missing = [(0, rows - len(x))] + [(0, 0)] * (x.ndim - 1)
  return np.pad(x, missing, constant_values=value)
