"""What lies within a box, as a map of fixed size (RoIAlign, arXiv 1703.06870).

Bilinear samples on a grid are products of two small matrices, one along each
axis: no gather, and no scatter in the gradient, which a TPU would do slowly.
"""

import chex
import jax.numpy as jnp


def align(
  features: chex.Array, boxes: chex.Array, size: int, samples: int
) -> chex.Array:
  """Averages bilinear samples in each cell of each box.

  Equals torchvision's `roi_align` with `aligned=True` on the same units: a
  sample beyond the map's outermost centres takes their value, and one more than
  a cell beyond them is 0.

  Args:
    features: [height, width, channels].
    boxes: [n, 4] in cells of the map.
    size: rows and columns of the result.
    samples: in each cell and along each axis.

  Returns:
    [n, size, size, channels], of the features' dtype.
  """
  chex.assert_rank(features, 3)
  chex.assert_shape(boxes, (None, 4))
  height, width, _ = features.shape
  rows = _weights(boxes[:, 0], boxes[:, 2], height, (size, samples))
  columns = _weights(boxes[:, 1], boxes[:, 3], width, (size, samples))
  rows, columns = (x.astype(features.dtype) for x in (rows, columns))
  cut = jnp.einsum("nih,hwc->niwc", rows, features)
  return jnp.einsum("njw,niwc->nijc", columns, cut)


def _weights(low, high, length: int, grid: tuple[int, int]):
  """[n, size, length] share of each cell of the map in each of the result."""
  size, samples = grid
  places = (jnp.arange(size * samples) + 0.5) / (size * samples)
  # A cell's value belongs to its centre.
  at = low[:, None] + (high - low)[:, None] * places[None] - 0.5
  inside = (at >= -1.0) & (at <= length)
  at = jnp.clip(at, 0.0, length - 1.0)
  cells = jnp.arange(length, dtype=at.dtype)
  near = jnp.maximum(1.0 - jnp.abs(at[..., None] - cells[None, None]), 0.0)
  near = jnp.where(inside[..., None], near, 0.0)
  return jnp.mean(near.reshape(len(low), size, samples, length), axis=2)
