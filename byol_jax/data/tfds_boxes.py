"""Boxes of sets that TensorFlow Datasets has prepared: voc, coco and alike."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from byol_jax.data import (
  annotated,
  batching,
  boxes,
  tfds_builder,
  tfds_source,
)
from byol_jax.detection import objects

_NEEDED = ("bbox", "label")
# VOC's objects that do not count, and COCO's boxes around many of them.
_DIFFICULT = ("is_difficult", "is_crowd")
# TFDS divides VOC's first corners, which count from 1, by the sides.
_FROM_ONE = "voc"


def open_tfds(
  name: str, split: str, data_dir: str
) -> annotated.AnnotatedSource:
  """Opens one split of a prepared set whose records have `objects`.

  The files of a TFRecord set stay in memory, encoded as they are; one of the
  array_record format is read as it is needed. Boxes without inside, of which
  COCO has some, are left out.

  Args:
    name: as TFDS writes it: "voc/2007", "coco/2017".
    split: as TFDS writes it.
    data_dir: as in `tfds_source.open_tfds`.

  Returns:
    Pictures with `objects.Objects`.

  Raises:
    ValueError: the set is not prepared or damaged, or has no such split or
      boxes; by `read`, a record cannot be read or decoded.
  """
  builder = tfds_builder.find(name, data_dir)
  num_images = tfds_builder.split_size(builder, name, split)
  class_names = _class_names(builder, name)
  records = _records(builder, split)
  shift = float(builder.name == _FROM_ONE)

  def title(position):
    return f"picture {position} of {name}"

  def read(position):
    record = tfds_source.record(records, position, name)
    image = annotated.decoded_picture(record["image"], title(position))
    shape = image.shape[:2]
    there = _objects(record["objects"], shape, shift)
    return image, boxes.checked(there, shape, title(position))

  known = _known(records)

  def fingerprint(position):
    return b"".join(x.tobytes() for x in known[position]) if known else b""

  return annotated.AnnotatedSource(
    num_images,
    class_names,
    read,
    title,
    fingerprint,
    [found.difficult for found in known],
  )


def _known(records: Sequence[Mapping[str, Any]]) -> list[objects.Objects]:
  """Boxes of a set in memory; of another every record would have to be read."""
  loaded = records if isinstance(records, list) else []
  return [_objects(record["objects"], (1, 1), 0.0) for record in loaded]


def _class_names(builder: tfds.core.DatasetBuilder, name: str):
  """Names of the classes of a set that has boxes."""
  features = dict(builder.info.features.items())
  inner = getattr(features.get("objects"), "feature", {})
  missing = [key for key in _NEEDED if key not in inner]
  if "image" not in features or missing:
    raise ValueError(
      f"the TFDS set {name!r} has no boxes: it lacks objects with"
      f" {' and '.join(_NEEDED)}."
    )
  return tuple(inner["label"].names)


def _objects(
  record: Mapping[str, Any], shape: tuple[int, int], shift: float
) -> objects.Objects:
  """One picture's boxes in pixels."""
  fractions = np.asarray(record["bbox"], np.float64).reshape(-1, 4)
  edges = fractions * np.array([*shape, *shape])
  edges -= np.array([shift, shift, 0.0, 0.0])
  difficult = np.zeros(len(edges), bool)
  for key in _DIFFICULT:
    if key in record:
      difficult |= np.asarray(record[key], bool)
  solid = np.all(edges[:, 2:] > edges[:, :2], axis=1)
  labels = np.asarray(record["label"], np.int32)
  return objects.Objects(edges[solid], labels[solid], difficult[solid])


def _records(
  builder: tfds.core.DatasetBuilder, split: str
) -> Sequence[Mapping[str, Any]]:
  """Random access to records whose pictures stay encoded."""
  skip = {"image": tfds.decode.SkipDecoding()}
  if tfds_builder.has_random_access(builder):
    return builder.as_data_source(
      split, decoders=skip, file_format="array_record"
    )
  dataset = builder.as_dataset(
    split=split,
    decoders=skip,
    read_config=tfds_source.read_config(None),
  )
  try:
    return list(dataset.as_numpy_iterator())
  except tf.errors.OpError as error:
    raise ValueError(batching.unreadable_files(error)) from error
