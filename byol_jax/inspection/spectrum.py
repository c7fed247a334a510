"""How many directions the features use."""

from typing import NamedTuple

import numpy as np

from byol_jax import metrics

# Beyond these nobody would doubt it.
_COLLAPSED_RANK = 2.0
_COLLAPSED_COSINE = 0.99
# The rank of few pictures or features is small in good health, too: it tells
# something where so many directions were to be had.
_TELLING = 4 * _COLLAPSED_RANK


class Spectrum(NamedTuple):
  """The sizes of the features' directions.

  Attributes:
    values: [min(n - 1, dim)] singular values of the centred features,
      descending; n points span no more directions.
    effective_rank: as in `metrics.effective_rank`.
    mean_cosine: of two different pictures.
  """

  values: np.ndarray
  effective_rank: float
  mean_cosine: float

  @property
  def is_collapsed(self) -> bool:
    """Whether pictures hardly differ for the encoder."""
    few = self.effective_rank < _COLLAPSED_RANK
    few = few and len(self.values) >= _TELLING
    return few or self.mean_cosine > _COLLAPSED_COSINE


def of(features: np.ndarray) -> Spectrum:
  """Measures features.

  Args:
    features: [n, dim], n of 2 or more.
  """
  centred = features - features.mean(axis=0, keepdims=True)
  return Spectrum(
    values=np.linalg.svd(centred, compute_uv=False)[: len(features) - 1],
    effective_rank=float(metrics.effective_rank(features)),
    mean_cosine=_mean_cosine(features),
  )


def _mean_cosine(features: np.ndarray) -> float:
  lengths = np.linalg.norm(features, axis=1, keepdims=True)
  unit = (features / np.maximum(lengths, 1e-12)).astype(np.float64)
  count = len(unit)
  # The squared length of the sum holds each picture's cosine with itself.
  own = np.sum(unit**2)
  return float((np.sum(unit.sum(axis=0) ** 2) - own) / (count * (count - 1)))
