"""Scores of predicted depth maps: sums over pixels, then what is made of them.

Source: the measures of Laina et al. (arXiv 1606.00373, "Experimental Results"),
over all known pixels of all pictures at once, as in their code.
"""

from collections.abc import Mapping, Sequence

import chex
import numpy as np

# Shares of pixels within these factors (paper, "Transfer to other vision
# tasks").
_FACTORS = (1.25, 1.25**2, 1.25**3)
# Metres, or share of a picture's largest depth: no sensor sees nearer, and a
# ratio needs a depth above 0.
NEAREST = 1e-3
# What `picture_sums` holds, beside the shares within each factor.
_SUMS = ("pixels", "pictures", "relative", "square", "scale_invariant")
SIZE = len(_SUMS) + len(_FACTORS)


def scaled(prediction: chex.Array, depth: chex.Array) -> np.ndarray:
  """A prediction times the factor that gives it the median of the truth.

  The usual way where scale is unknown (Zhou et al. 2017, arXiv 1704.07813,
  "Single-view Depth Estimation").

  Args:
    prediction: [height, width], above 0.
    depth: [height, width]; 0 where it is not known, somewhere above.
  """
  chex.assert_equal_shape((prediction, depth))
  known = depth > 0
  factor = np.median(depth[known]) / np.median(prediction[known])
  return np.asarray(prediction) * factor


def picture_sums(prediction: chex.Array, depth: chex.Array) -> np.ndarray:
  """What one picture adds to the scores.

  Args:
    prediction: [height, width]; what is below `NEAREST` counts as that.
    depth: [height, width], in the same unit; 0 where it is not known.

  Returns:
    [SIZE] float64, to be added up over pictures and given to `scores`.
  """
  chex.assert_equal_shape((prediction, depth))
  known = depth > 0
  if not known.any():
    return np.zeros(SIZE)
  truth = np.asarray(depth, np.float64)[known]
  found = np.maximum(np.asarray(prediction, np.float64)[known], NEAREST)
  residual = found - truth
  ratio = np.maximum(found / truth, truth / found)
  return np.array(
    [
      truth.size,
      1.0,
      np.sum(np.abs(residual) / truth),
      np.sum(np.square(residual)),
      np.std(np.log(found / truth)),
      *(np.sum(ratio < factor) for factor in _FACTORS),
    ]
  )


def scores(sums: Sequence[float]) -> Mapping[str, float]:
  """The scores of many pictures.

  Args:
    sums: [SIZE] of `picture_sums`, added up.

  Returns:
    `delta1`, `delta2`, `delta3`: shares of pixels whose depth is predicted
    within a factor of 1.25, 1.25^2 and 1.25^3; `rms`, the root of the mean
    square residual, in the unit of the depth; `rel`, the mean residual over
    the true depth; `scale_invariant`, the standard deviation of the logarithm
    of prediction over truth in a picture, averaged over pictures.

  Raises:
    ValueError: no pixel is known.
  """
  pixels, pictures, relative, square, scale_invariant = sums[: len(_SUMS)]
  if not pixels:
    raise ValueError("No test picture has a pixel whose depth is known.")
  shares = [count / pixels for count in sums[len(_SUMS) :]]
  return {
    **{f"delta{n}": float(share) for n, share in enumerate(shares, start=1)},
    "rms": float(np.sqrt(square / pixels)),
    "rel": float(relative / pixels),
    "scale_invariant": float(scale_invariant / pictures),
  }
