"""Batches of pictures with boxes, scaled to squares."""

from collections.abc import Iterator

import ml_collections
import numpy as np

from byol_jax import inputs
from byol_jax.data import annotated, annotated_batches
from byol_jax.dense import scaling


def train(
  config: ml_collections.ConfigDict,
  source: annotated.AnnotatedSource,
  first_step: int,
) -> Iterator[dict[str, np.ndarray]]:
  """Endless training batches, this host's share.

  Args:
    config: a validated config of the protocol `detection`.
    source: pictures with `objects.Objects`.
    first_step: the step that the first batch belongs to.

  Yields:
    `images` uint8 of one of `detection.train_px`, the same for the whole step,
    `size`, what `scaling.padded` gives, and `index`.

  Raises:
    ValueError: as `annotated_batches.train_batches`, or a picture has more
      objects than there is room for.
  """
  section = config.detection

  def prepare(image, there, draw):
    # The same for the whole step: each size is a program of its own.
    side = section.train_px[draw.step.integers(len(section.train_px))]
    shown, factors = scaling.scale(image, side)
    boxes = scaling.scale_boxes(there.boxes, factors)
    if draw.example.random() < section.flip:
      shown, boxes = scaling.flip(shown, boxes)
    return {
      "images": scaling.fill(shown, side),
      "size": np.array(shown.shape[:2], np.float32),
      **scaling.padded(there._replace(boxes=boxes), section.max_boxes),
    }

  reader = inputs.reader(config.seed, config.training.batch_size)
  return annotated_batches.train_batches(source, prepare, reader, first_step)


def test(
  config: ml_collections.ConfigDict, source: annotated.AnnotatedSource
) -> Iterator[dict[str, np.ndarray]]:
  """One pass over all pictures, this host's share.

  Args:
    config: a validated config of the protocol `detection`.
    source: pictures with `objects.Objects`.

  Yields:
    As `train`, of `detection.test_px`, with `scale` and `mask`.

  Raises:
    ValueError: as `train`.
  """
  section = config.detection

  def prepare(image, there):
    shown, factors = scaling.scale(image, section.test_px)
    boxes = scaling.scale_boxes(there.boxes, factors)
    return {
      "images": scaling.fill(shown, section.test_px),
      "size": np.array(shown.shape[:2], np.float32),
      "scale": factors,
      **scaling.padded(there._replace(boxes=boxes), section.max_boxes),
    }

  reader = inputs.reader(0, config.evaluation.batch_size)
  return annotated_batches.eval_batches(source, prepare, reader)
