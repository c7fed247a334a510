"""The most similar pictures of each picture, and what they say of its class."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from byol_jax import knn

# Queries whose cosines exist at once.
_BLOCK = 128
# Queries whose votes for all classes exist at once.
_VOTERS = 512
# As in the evaluation's configs.
NUM_VOTES = 20
_TEMPERATURE = 0.07


class Neighbours(NamedTuple):
  """The other pictures that are most similar to each picture.

  Attributes:
    index: [n, k] int32, most similar first, never the picture itself.
    cosine: [n, k], in [-1, 1].
  """

  index: np.ndarray
  cosine: np.ndarray


class Confusion(NamedTuple):
  """How pictures are classified by their neighbours.

  Attributes:
    counts: [classes, classes] int64: of true class (row) and given one.
    votes: how many neighbours vote.
  """

  counts: np.ndarray
  votes: int

  @property
  def accuracy(self) -> float:
    """Share of right answers, in [0, 1]."""
    return float(np.trace(self.counts) / self.counts.sum())


def find(features: np.ndarray, num_neighbours: int) -> Neighbours:
  """Searches the other pictures for those with the highest cosines.

  Args:
    features: [n, dim], n of 2 or more.
    num_neighbours: how many; there are at most n - 1.
  """
  count = len(features)
  k = min(num_neighbours, count - 1)
  # A picture finds itself, too.
  found = _search(features, k + 1)
  itself = found.index == np.arange(count)[:, None]
  order = np.argsort(itself, axis=1, kind="stable")[:, :k]
  return Neighbours(
    index=np.take_along_axis(found.index, order, axis=1),
    cosine=np.take_along_axis(found.cosine, order, axis=1),
  )


def confusion(neighbours: Neighbours, labels: np.ndarray) -> Confusion:
  """Lets neighbours vote for the class of each picture, as k-NN evaluation.

  Args:
    neighbours: of all pictures.
    labels: [n] int32 from 0 on; every class has a picture.
  """
  votes = min(NUM_VOTES, neighbours.index.shape[1])
  num_classes = int(labels.max()) + 1
  vote = jax.jit(
    lambda nearest: knn.votes(nearest, num_classes, (votes,), _TEMPERATURE)
  )
  given = []
  for start in range(0, len(labels), _VOTERS):
    part = slice(start, start + _VOTERS)
    theirs = labels[neighbours.index[part, :votes]]
    nearest = knn.Nearest(neighbours.cosine[part, :votes], theirs)
    given.append(np.argmax(vote(nearest)[0], axis=1))
  counts = np.zeros((num_classes, num_classes), np.int64)
  np.add.at(counts, (labels, np.concatenate(given)), 1)
  return Confusion(counts, votes)


def queries(count: int, wanted: int, seed: int) -> np.ndarray:
  """Pictures to be shown, one drawn from each of equal parts of the order.

  Sorted by name, pictures of a class or an occasion lie together: so all of
  them are shown.

  Args:
    count: of all pictures.
    wanted: how many at most.
    seed: of the draws.

  Returns:
    [min(count, wanted)] ascending.
  """
  edges = np.linspace(0, count, min(count, wanted) + 1).astype(np.int64)
  return np.random.default_rng(seed).integers(edges[:-1], edges[1:])


def _search(features: np.ndarray, k: int) -> Neighbours:
  """As `find`, with the picture itself."""
  count, dim = features.shape
  padded = np.pad(features, ((0, -count % _BLOCK), (0, 0)))
  blocks = jnp.asarray(padded).reshape(-1, _BLOCK, dim)
  # What the search carries along is a neighbour's class, or its place.
  piece = knn.Piece(jnp.asarray(features), jnp.arange(count, dtype=jnp.int32))
  start = knn.no_neighbours(blocks.shape[:2], k)
  found = jax.device_get(jax.jit(knn.nearer)(start, blocks, piece))
  return Neighbours(
    index=found.labels.reshape(-1, k)[:count],
    cosine=found.cosines.reshape(-1, k)[:count],
  )
