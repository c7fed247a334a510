"""Pictures on a plane, similar ones close together, by well-kept libraries."""

import importlib.util
import warnings

import numpy as np
import threadpoolctl

KINDS = ("tsne", "umap")
NAMES = {"tsne": "t-SNE", "umap": "UMAP"}
# Distances of so many principal components are those of all, but for noise.
_COMPONENTS = 50
# The libraries' own choices; fewer pictures need smaller ones.
_PERPLEXITY = 30.0
_NEIGHBOURS = 15
# With fewer pictures, threads wait for each other longer than they work.
_SMALL = 1000


def check(kind: str) -> None:
  """Refuses a map whose package is missing.

  Args:
    kind: one of `KINDS`.

  Raises:
    ValueError: naming the package.
  """
  if kind == "umap" and not importlib.util.find_spec("umap"):
    raise ValueError(
      "--map=umap needs the package umap-learn: pip install 'byol-jax[umap]',"
      " or take --map=tsne."
    )


def positions(features: np.ndarray, kind: str, seed: int) -> np.ndarray:
  """Places pictures by the cosines of their features.

  Args:
    features: [n, dim], n of 3 or more.
    kind: one of `KINDS`.
    seed: of what the method draws.

  Returns:
    [n, 2] in [0, 1], both axes to the same scale; all in the middle if all
    features are equal.
  """
  # Imports of seconds, for this alone.
  from sklearn import decomposition, preprocessing

  unit = preprocessing.normalize(features)
  if np.ptp(unit, axis=0).max() < 1e-6:
    return np.full((len(unit), 2), 0.5)
  components = min(_COMPONENTS, *unit.shape)
  method = decomposition.PCA(components, random_state=seed)
  place = _tsne if kind == "tsne" else _umap
  with threadpoolctl.threadpool_limits(1 if len(unit) < _SMALL else None):
    placed = place(method.fit_transform(unit), seed)
  low, high = placed.min(axis=0), placed.max(axis=0)
  return (placed - (low + high) / 2) / (high - low).max() + 0.5


def _tsne(features: np.ndarray, seed: int) -> np.ndarray:
  from sklearn import manifold

  perplexity = min(_PERPLEXITY, (len(features) - 1) / 3)
  method = manifold.TSNE(perplexity=perplexity, init="pca", random_state=seed)
  return method.fit_transform(features)


def _umap(features: np.ndarray, seed: int) -> np.ndarray:
  with warnings.catch_warnings():
    # It warns that a seed costs parallelism, and of its own dependencies.
    warnings.simplefilter("ignore")
    import umap

    neighbours = min(_NEIGHBOURS, len(features) - 1)
    method = umap.UMAP(n_neighbors=neighbours, init="pca", random_state=seed)
    return method.fit_transform(features)
