"""Object detection: Faster R-CNN on the encoder (paper, Table 4a)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from byol_jax import inputs, parallel, stopping
from byol_jax.data import annotated, annotated_batches, voc, yolo
from byol_jax.dense import box_pictures, detector, scaling
from byol_jax.dense import task as tasks
from byol_jax.detection import anchors, coco, objects, selection
from byol_jax.detection import voc as voc_score
from byol_jax.networks import dense, network, resnet


def open_part(
  config: ml_collections.ConfigDict, part: str
) -> annotated.AnnotatedSource:
  """Opens pictures and their boxes.

  Args:
    config: a validated config of the protocol `detection`.
    part: "train" or "test".

  Raises:
    ValueError: the part is not named, missing, empty or damaged.
  """
  data = config.data
  if data.source == "tfds":
    # Imports TensorFlow, which reads such sets.
    from byol_jax.data import tfds_boxes

    split = data[f"{part}_split"]
    return tfds_boxes.open_tfds(data.tfds_name, split, data.data_dir)
  if not data[f"{part}_path"]:
    raise ValueError(
      f"data.{part}_path is empty: name a folder or tar with"
      f" {data.images_folder} and {data.targets_folder}."
    )
  place = annotated.Place(
    data[f"{part}_path"],
    data[f"{part}_prefix"],
    data.images_folder,
    data.targets_folder,
    data[f"{part}_list"],
  )
  if data.source == "yolo":
    return yolo.open_yolo(place)
  if part == "train":
    return voc.open_voc(place)
  return voc.open_voc(place, open_part(config, "train").class_names)


def make(
  config: ml_collections.ConfigDict, spec: network.EncoderSpec
) -> tasks.Task:
  """Assembles the task.

  Args:
    config: a validated config of the protocol `detection`.
    spec: shape of the encoder.

  Raises:
    ValueError: a size of the pictures does not go with the encoder's stride.
  """
  _check_sizes(config.detection, spec)
  settings = _settings(config)
  net = detector.make_network(spec, settings, parallel.AXIS)
  detect = parallel.pmap(_detector(net, settings))
  return tasks.Task(
    init=_init(config, net),
    loss=_make_loss(net, settings),
    train_batches=lambda source, step: _train_batches(config, source, step),
    evaluate=lambda variables, source: _evaluate(
      config, source, _found(config, detect, variables, source)
    ),
    draw=lambda variables, source, folder: _draw(
      config, (source, folder), lambda some: _found(config, detect, variables, some)
    ),
    metric=config.detection.metric,
    higher_is_better=True,
  )
