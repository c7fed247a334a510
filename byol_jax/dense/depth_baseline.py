"""What depth has to beat: one map for all pictures, the mean of training's."""

from collections.abc import Mapping

import jax.numpy as jnp
import ml_collections
import numpy as np

from byol_jax import parallel, stopping
from byol_jax.data import annotated, depth_maps
from byol_jax.dense import depth_scoring

# Training pictures that the mean is of, at most: more hardly move it.
_MAX_READ = 1000


def scores(
  config: ml_collections.ConfigDict,
  train: annotated.AnnotatedSource,
  test: annotated.AnnotatedSource,
) -> Mapping[str, float]:
  """Scores the training part's mean map on the test part.

  Args:
    config: of the protocol `depth`; encoder and training do not matter.
    train: pictures and depth, of which 1000 are enough.
    test: the same.

  Returns:
    As `depth.scores.scores`.

  Raises:
    ValueError: a picture cannot be read, or no depth is known.
  """
  mean = mean_map(config, train)
  predict = parallel.pmap(
    lambda _, images: jnp.broadcast_to(mean, images.shape[:-1])
  )
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
  number = min(source.num_images, _MAX_READ)
  for position in np.linspace(0, source.num_images - 1, number).astype(int):
    stopping.check()
    _, depth_map = source.read(int(position))
    box = depth_maps.window(
      depth_map.shape, config.depth.resized_px, config.depth.image_px
    )
    seen = depth_maps.sampled(depth_map, box, config.depth.image_px)
    total, count = total + seen, count + (seen > 0)
  overall = total.sum() / max(count.sum(), 1)
  mean = np.where(count > 0, total / np.maximum(count, 1), overall)
  return mean.astype(np.float32)
