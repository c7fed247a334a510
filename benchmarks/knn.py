"""How fast the k-NN protocol searches, beside scikit-learn's brute force.

python -m benchmarks.knn --dims 128 512

Ours is the whole of `evaluation.knn.scores`: all four numbers of neighbours,
votes and accuracies, the bank starting in the host's memory. Scikit-learn's
`NearestNeighbors.kneighbors` only finds the neighbours: by cosine, and by its
faster Euclidean distance of features that are normalised beforehand. The
features are Gaussian noise about one centre a class. The contenders take turns
in one process; `ratio` is a contender's median time over ours, so above 1 ours
is faster. `same` is the share of neighbours' cosines (16 queries) that agree
with ours within 1e-5.
"""

import argparse
import os
import statistics
from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
from sklearn import neighbors

from benchmarks import command, timing
from byol_jax import knn
from byol_jax.evaluation import knn as protocol
from byol_jax.evaluation.features import Features

_CLASSES = 10
_SETTINGS = protocol.Settings((1, 5, 20, 200), 0.07)
_NUM_NEIGHBOURS = max(_SETTINGS.neighbours)
_NUM_SAME = 16  # Queries whose neighbours are compared.


def main() -> None:
  """Times all contenders and prints a table."""
  arguments = _arguments()
  rows = []
  for dim in arguments.dims:
    bank = _features(arguments.bank_size, dim, 1)
    test = _features(arguments.num_queries, dim, 2)
    size = {
      "cores": os.cpu_count(),
      "queries": arguments.num_queries,
      "bank": arguments.bank_size,
      "dim": dim,
    }
    for row in _compare(bank, test, arguments.repeats):
      rows.append({**size, **row})
  timing.report(rows, arguments)


def _arguments() -> argparse.Namespace:
  parser = command.parser(__doc__)
  add = parser.add_argument
  add("--num_queries", type=command.count(_NUM_SAME), default=10_000)
  add("--bank_size", type=command.count(_NUM_NEIGHBOURS), default=50_000)
  add("--dims", type=command.count(), nargs="+", default=[128, 512])
  add("--repeats", type=command.count(), default=3)
  return parser.parse_args()


def _compare(bank: Features, test: Features, repeats: int) -> list[Mapping]:
  """A row for each contender."""
  works = {
    "ours": lambda: protocol.scores(bank, test, _CLASSES, _SETTINGS),
    **{name: _scikit(bank, test, name) for name in ("cosine", "euclidean")},
  }
  found = timing.turns(works, repeats)
  ours = statistics.median(found["ours"].walls)
  rows = []
  for name, times in found.items():
    median = statistics.median(times.walls)
    spread = max(times.walls) - min(times.walls)
    rows.append(
      {
        "search": name if name == "ours" else f"scikit-learn {name}",
        "seconds": median,
        "spread_percent": 100.0 * spread / median,
        "cpu_seconds": statistics.median(times.processors),
        "ratio": median / ours,
        "same": _same(bank, test, name),
        **timing.singles(times),
      }
    )
  return rows


def _scikit(bank: Features, test: Features, metric: str) -> Callable:
  """Scikit-learn's search, its index built beforehand."""
  prepare = _normalised if metric == "euclidean" else np.asarray
  model = neighbors.NearestNeighbors(
    n_neighbors=_NUM_NEIGHBOURS, algorithm="brute", metric=metric
  ).fit(prepare(bank.representation))
  queries = prepare(test.representation)
  return lambda: model.kneighbors(queries)


def _same(bank: Features, test: Features, name: str) -> float:
  """Share of a few queries' nearest cosines that are as ours finds them."""
  some = test._replace(representation=test.representation[:_NUM_SAME])
  nearest = knn.nearer(
    knn.no_neighbours((1, _NUM_SAME), _NUM_NEIGHBOURS),
    jnp.array(some.representation)[None],
    knn.Piece(jnp.array(bank.representation), jnp.array(bank.labels)),
  )
  ours = np.asarray(nearest.cosines[0])
  if name == "ours":
    return 1.0
  distances, _ = _scikit(bank, some, name)()
  theirs = 1.0 - (distances if name == "cosine" else distances**2 / 2.0)
  return float(np.mean(np.abs(ours - theirs) < 1e-5))


def _normalised(x: np.ndarray) -> np.ndarray:
  return x / np.linalg.norm(x, axis=1, keepdims=True)


def _features(count: int, dim: int, seed: int) -> Features:
  """Noise about one centre a class, the same centres for every seed."""
  centres = np.random.default_rng(0).normal(size=(_CLASSES, dim))
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, _CLASSES, count).astype(np.int32)
  noise = 3.0 * rng.normal(size=(count, dim))
  representation = (centres[labels] + noise).astype(np.float32)
  return Features(representation, np.zeros((count, 0), np.float32), labels)


if __name__ == "__main__":
  main()
