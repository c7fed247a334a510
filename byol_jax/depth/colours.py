"""Depth maps as colours."""

import chex
import numpy as np

# Near is light, far is dark.
_COLOURS = "magma_r"
# Of the colours, whose last one is almost the black of what is not known.
_FARTHEST = 0.85


def painted(
  truth: chex.Array, prediction: chex.Array
) -> tuple[np.ndarray, np.ndarray]:
  """Both maps in the same colours, near light, over the range of the truth.

  Args:
    truth: [height, width]; 0 where it is not known, which is black.
    prediction: [height, width], in the same unit; what is nearer or farther
      than all of the truth has the colour of the range's end.

  Returns:
    Two pictures [height, width, 3], float in [0, 1].
  """
  # Only here: every start of every program would wait for it.
  import matplotlib

  chex.assert_equal_shape((truth, prediction))
  known = truth > 0
  some = truth[known] if known.any() else np.ones(1)
  low, high = some.min(), some.max()

  def paint(depth):
    share = (np.asarray(depth) - low) / max(high - low, 1e-6)
    share = np.clip(share, 0.0, 1.0)
    return matplotlib.colormaps[_COLOURS](_FARTHEST * share)[..., :3]

  return np.where(known[:, :, None], paint(truth), 0.0), paint(prediction)
