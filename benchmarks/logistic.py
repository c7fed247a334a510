"""The path of 45 logistic regressions beside scikit-learn's.

python -m benchmarks.logistic

Both solve the same objective for the same strengths from the strongest to the
weakest, each from the last solution, taking turns in one process. Each stops by
its own rule, so what they reached is measured alike, in float64: the length of
the gradient as a share of that at zero weights (features as given, and
centred), and how far the objective is above the lower of the two, as a share of
that at zero weights; all the worst over strengths. `cpu_seconds` are of all
threads together. Ours is compiled before, which takes seconds once.

Without `--features` the features imitate an encoder's: classes are Gaussians in
64 dimensions, seen through a random layer with ReLU, so they are correlated,
not negative, and of very unequal variance. The labels are not separable.
"""

import argparse
import statistics
import time
import warnings
import zipfile

import jax
import numpy as np
import threadpoolctl
from scipy import special
from sklearn import exceptions, linear_model

from benchmarks import command, timing
from byol_jax import logistic

_STRENGTHS = np.logspace(5, -6, 45)
_LATENT = 64
_CLASSES = 10
# What NumPy raises over files that are no NPZ.
_UNREADABLE = (
  OSError,
  EOFError,
  ValueError,
  TypeError,
  KeyError,
  zipfile.BadZipFile,
)


def main() -> None:
  """Times both and prints a table."""
  arguments = _arguments()
  with command.refusing():
    features, labels = _data(arguments)
  solvers = {
    "byol_jax": lambda: _ours(features, labels, arguments.tolerance),
    "scikit-learn": lambda: _peer(features, labels, arguments),
  }
  _ours(features, labels, arguments.tolerance)
  walls, processors = ({name: [] for name in solvers} for _ in range(2))
  found = {}
  for _ in range(arguments.repeats):
    for name, solve in solvers.items():
      wall, processor = time.perf_counter(), time.process_time()
      found[name] = solve()
      walls[name].append(time.perf_counter() - wall)
      processors[name].append(time.process_time() - processor)
  reached = _reached(features, labels, found)
  seconds = {name: statistics.median(walls[name]) for name in solvers}
  rows = [
    {
      "solver": name,
      "seconds": seconds[name],
      "slowest_seconds": max(walls[name]),
      "cpu_seconds": statistics.median(processors[name]),
      "ratio": seconds["scikit-learn"] / seconds[name],
      "steps": float(np.sum(found[name][2])),
      **reached[name],
      **timing.singles(timing.Times(walls[name], processors[name])),
    }
    for name in solvers
  ]
  timing.report(rows, arguments)


def _arguments() -> argparse.Namespace:
  parser = command.parser(__doc__)
  add = parser.add_argument
  add("--features", default="", help="NPZ of representation and labels.")
  add("--num_images", type=command.count(), default=10_000)
  add("--dim", type=command.count(), default=512, help="Without --features.")
  add("--tolerance", type=command.positive, default=1e-4, help="Ours.")
  add("--peer_tolerance", type=command.positive, default=1e-4)
  add("--peer_dtype", default="float32", choices=("float32", "float64"))
  add("--peer_threads", type=command.count(), help="All cores by default.")
  add("--repeats", type=command.count(), default=3)
  return parser.parse_args()


def _data(arguments) -> tuple[np.ndarray, np.ndarray]:
  """Features float32 and labels int32; each class is there."""
  if arguments.features:
    features, labels = _stored(arguments.features)
    rows = slice(arguments.num_images)
    features = features[rows].astype(np.float32)
    labels = labels[rows].astype(np.int32)
  else:
    features, labels = _drawn(arguments.num_images, arguments.dim)
  if not np.array_equal(np.unique(labels), np.arange(_CLASSES)):
    raise ValueError(
      f"The first {len(labels)} labels must be 0 to {_CLASSES - 1} and have"
      " each of them."
    )
  return features, labels


def _stored(path: str) -> tuple[np.ndarray, np.ndarray]:
  """A file's arrays."""
  try:
    with np.load(path) as stored:
      features, labels = stored["representation"], stored["labels"]
  except _UNREADABLE as error:
    raise ValueError(
      f"--features={path} cannot be read as an NPZ file of representation and"
      f" labels: {error}."
    ) from error
  if features.ndim != 2 or labels.shape != features.shape[:1]:
    raise ValueError(
      f"--features={path} must have a representation for each of its labels,"
      f" not shapes {features.shape} and {labels.shape}."
    )
  return features, labels


def _drawn(num_images: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
  rng = np.random.default_rng(0)
  labels = rng.integers(0, _CLASSES, num_images).astype(np.int32)
  latent = 0.15 * rng.normal(size=(_CLASSES, _LATENT))[labels]
  latent += rng.normal(size=latent.shape)
  latent *= np.arange(1, _LATENT + 1) ** -0.5
  hidden = latent @ rng.normal(size=(_LATENT, dim))
  return np.maximum(hidden, 0.0).astype(np.float32), labels


def _ours(features, labels, tolerance):
  """Weights, biases and steps of every strength."""
  found = logistic.path(
    features,
    labels,
    _STRENGTHS.astype(np.float32),
    _CLASSES,
    logistic.Limits(tolerance=tolerance),
  )
  return jax.device_get((found.weights, found.biases, found.num_steps))


def _peer(features, labels, arguments):
  """As `_ours`."""
  model = linear_model.LogisticRegression(
    warm_start=True, tol=arguments.peer_tolerance, max_iter=10_000
  )
  features = features.astype(arguments.peer_dtype)
  weights, biases, steps = [], [], []
  for strength in _STRENGTHS:
    model.set_params(C=1.0 / strength)
    with (
      threadpoolctl.threadpool_limits(arguments.peer_threads),
      warnings.catch_warnings(),
    ):
      # Where it goes no further, the table shows how far it came.
      warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
      model.fit(features, labels)
    weights.append(model.coef_.T.copy())
    biases.append(model.intercept_.copy())
    steps.append(model.n_iter_[0])
  return np.stack(weights), np.stack(biases), np.array(steps)


def _reached(features, labels, found):
  """Gradient and objective of each solver, the worst over strengths."""
  features = features.astype(np.float64)
  objectives, rows = {}, {}
  for name, (weights, biases, _) in found.items():
    measured = [
      _measure(features, labels, *classifier)
      for classifier in zip(weights, biases, _STRENGTHS, strict=True)
    ]
    values, gradients, centred = map(np.array, zip(*measured, strict=True))
    objectives[name] = values
    rows[name] = {
      "gradient": float(np.max(gradients)),
      "centred_gradient": float(np.max(centred)),
    }
  best = np.min(list(objectives.values()), axis=0)
  start = len(labels) * np.log(_CLASSES)
  for name, values in objectives.items():
    above = np.max(values - best) / start
    rows[name]["objective_above_best"] = float(above)
  return rows


def _measure(features, labels, weights, biases, strength):
  """Objective, and both gradients as shares of those at zero weights."""
  logits = features @ weights.astype(np.float64) + biases
  chances = special.softmax(logits, axis=1)
  targets = np.eye(weights.shape[1])[labels]
  # Not log(chances): tiny ones become 0.
  losses = special.logsumexp(logits, axis=1) - np.sum(logits * targets, axis=1)
  value = np.sum(losses) + strength / 2 * np.sum(
    weights.astype(np.float64) ** 2
  )
  shares = []
  for mean in (0.0, features.mean(axis=0)):
    first, last = (
      np.linalg.norm(
        np.append((features - mean).T @ rest + decay, rest.sum(axis=0)[None], 0)
      )
      for rest, decay in (
        (1.0 / weights.shape[1] - targets, 0.0),
        (chances - targets, strength * weights),
      )
    )
    shares.append(last / first)
  return value, *shares


if __name__ == "__main__":
  main()
