"""What depth has to beat: one map for all pictures, the mean of training's."""

from collections.abc import Mapping

import ml_collections
import numpy as np

from byol_jax.data import annotated, depth_maps
from byol_jax.dense import depth, depth_scoring


def scores(config: ml_collections.ConfigDict) -> Mapping[str, float]:
  """Scores the training part's mean map on the test part.

  Args:
    config: of the protocol `depth`; encoder and training do not matter.

  Returns:
    As `depth.scores.scores`.

  Raises:
    ValueError: the data is not there.
  """
  train, test = (depth.open_part(config, part) for part in ("train", "test"))
  mean = mean_map(config, train)

  def predict(variables, images):
    del variables
    return np.broadcast_to(mean, (*images.shape[:2], *mean.shape))

  return depth_scoring.evaluate(config, predict, (), test)


def mean_map(
  config: ml_collections.ConfigDict, source: annotated.AnnotatedSource
) -> np.ndarray:
  """The mean depth of each pixel, over the pictures where it is known.

  Args:
    config: as in `scores`.
    source: pictures and depth.

  Returns:
    [*depth.image_px] float32; the mean of all where nothing is ever known.
  """
  total, count = np.zeros((2, *config.depth.image_px))
  for position in range(source.num_images):
    _, depth_map = source.read(position)
    box = depth_maps.window(
      depth_map.shape, config.depth.resized_px, config.depth.image_px
    )
    seen = depth_maps.sampled(depth_map, box, config.depth.image_px)
    total, count = total + seen, count + (seen > 0)
  overall = total.sum() / max(count.sum(), 1)
  mean = np.where(count > 0, total / np.maximum(count, 1), overall)
  return mean.astype(np.float32)
