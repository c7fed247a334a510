"""Object detection: Faster R-CNN on the encoder (paper, Table 4a)."""

import os
from collections.abc import Callable

import jax
import ml_collections
import numpy as np

from byol_jax import parallel
from byol_jax.data import annotated, voc, yolo
from byol_jax.dense import (
  box_overlays,
  detected,
  detection_batches,
  detector,
  detector_losses,
  detector_parts,
  object_counts,
  overlays,
  places,
)
from byol_jax.dense import task as tasks
from byol_jax.detection import anchors, selection
from byol_jax.networks import centres, dense, network


def open_part(
  config: ml_collections.ConfigDict, part: str
) -> annotated.AnnotatedSource:
  """Opens pictures and their boxes.

  Args:
    config: a validated config of the protocol `detection`.
    part: "train" or "test".

  Raises:
    ValueError: the part is not named, missing, empty or damaged, or a picture
      has more boxes than there is room for.
  """
  source = _open(config, part)
  object_counts.check_room(source, config.detection.max_boxes)
  count, wanted = len(source.class_names), config.detection.num_classes
  if count != wanted:
    raise ValueError(
      f"detection.num_classes={wanted}, and the {part} part has {count}"
      " classes."
    )
  return source


def make(
  config: ml_collections.ConfigDict, spec: network.EncoderSpec
) -> tasks.Task:
  """Assembles the task.

  Args:
    config: a validated config of the protocol `detection`.
    spec: shape of the encoder.

  Raises:
    ValueError: sizes do not go with the encoder or with each other.
  """
  section = config.detection
  _check(section, spec)
  settings = _settings(config)
  net = detector.make_network(spec, settings, parallel.AXIS)
  detect = parallel.pmap(_detector(net, settings))

  def look(variables, source):
    batches = detection_batches.test(config, source)
    return list(detected.pictures(detect, variables, batches))

  return tasks.Task(
    init=_init(config, net),
    loss=_make_loss(net, settings),
    train_batches=lambda source, step: detection_batches.train(
      config, source, step
    ),
    evaluate=lambda variables, source: detected.scores(
      look(variables, source), source.class_names
    ),
    draw=lambda variables, source, folder: _draw(
      config, source, folder, lambda some: look(variables, some)
    ),
    metric=section.metric,
    higher_is_better=True,
  )


def _open(config, part: str) -> annotated.AnnotatedSource:
  data = config.data
  if data.source == "tfds":
    if data[f"{part}_path"]:
      raise ValueError(
        f"data.{part}_path={data[f'{part}_path']} is for data.source=voc and"
        " yolo, and data.source=tfds has its own parts."
      )
    # Imports TensorFlow, which reads such sets.
    from byol_jax.data import tfds_boxes

    split = data[f"{part}_split"]
    return tfds_boxes.open_tfds(data.tfds_name, split, data.data_dir)
  place = places.of(data, part)
  if data.source == "yolo":
    return yolo.open_yolo(place)
  if part == "train":
    return voc.open_voc(place)
  return voc.open_voc(place, _open(config, "train").class_names)


def _check(section, spec: network.EncoderSpec) -> None:
  """Refuses sizes that do not go with the encoder or with each other."""
  groups = centres.num_groups(spec, last_dilation=1)
  if groups < 2:
    raise ValueError(
      f"network.encoder={spec.encoder} has {groups} groups of blocks:"
      " detection needs one for the boxes and one before it."
    )
  _, stride = centres.first(spec, section.test_px, groups - 1)
  sides = (*section.train_px, section.test_px)
  wrong = [side for side in sides if side % stride]
  if wrong:
    raise ValueError(
      "detection.train_px and test_px have to be multiples of the stride of"
      f" this encoder's trunk, {stride}, unlike {wrong[0]}."
    )
  shapes = len(section.anchor_sizes) * len(section.anchor_ratios)
  there = {
    "sampled_anchors": shapes * (min(section.train_px) // stride) ** 2,
    "sampled_boxes": section.train_proposals + section.max_boxes,
  }
  for name, count in there.items():
    if section[name] > count:
      raise ValueError(
        f"detection.{name}={section[name]} is more than the {count} that"
        " there are to draw from."
      )


def _settings(config) -> detector_parts.Settings:
  section = config.detection
  return detector_parts.Settings(
    num_classes=section.num_classes,
    shapes=anchors.Shapes(section.anchor_sizes, section.anchor_ratios),
    channels=section.proposal_channels,
    train_proposals=selection.Filter(
      section.train_candidates,
      section.proposal_overlap,
      section.train_proposals,
    ),
    test_proposals=selection.Filter(
      section.test_candidates, section.proposal_overlap, section.test_proposals
    ),
    detections=selection.Filter(
      section.detection_candidates,
      section.detection_overlap,
      section.detections,
    ),
    lowest_score=section.lowest_score,
    pool_size=section.pool_size,
    pool_samples=section.pool_samples,
    num_anchors=section.sampled_anchors,
    num_boxes=section.sampled_boxes,
    object_share=section.object_share,
    compute_dtype=config.training.compute_dtype,
  )


def _init(config, net: dense.Functions) -> Callable:
  side = config.detection.test_px
  batch = {
    "images": np.zeros((1, side, side, 3), np.uint8),
    "size": np.full((1, 2), side, np.float32),
  }
  return lambda key: parallel.one_device(lambda x: net.init(key, x))(batch)


def _make_loss(net: dense.Functions, settings) -> tasks.Loss:
  """Of the objects that are not difficult."""

  def loss(variables, batch, key, modes):
    # Each picture draws for itself, on whatever device it is.
    keys = jax.vmap(lambda index: jax.random.fold_in(key, index))(
      batch["index"]
    )
    counted = batch["present"] & ~batch["difficult"]
    batch = {**batch, "present": counted, "keys": keys}
    outputs, stats = net.apply(variables, batch, modes)
    value, logs = detector_losses.total(outputs, batch, settings)
    return value, (stats, logs)

  return loss


def _detector(net: dense.Functions, settings) -> Callable:
  """(variables, batch) to detections, on one device."""

  def detect(variables, batch):
    shown = {name: batch[name] for name in ("images", "size")}
    outputs, _ = net.apply(variables, shown, dense.INFERENCE)
    return detector.detections(outputs, shown, settings)

  return detect


def _draw(config, source, folder: str, look: Callable) -> None:
  """Picture, objects and detections of the first test pictures."""
  count = min(config.evaluation.pictures, source.num_images)
  some = annotated.select(source, range(count))
  for seen in look(some):
    if parallel.host() == 0:
      image, _ = some.read(seen.index)
      name = overlays.file_name(seen.index, some.name(seen.index))
      box_overlays.write(
        image, seen, source.class_names, os.path.join(folder, name)
      )
