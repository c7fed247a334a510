"""TFDS sets whose pictures hold several objects each, such as PASCAL VOC."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from byol_jax.data import batching, problems, sources, tfds_builder, tfds_source

# As TFDS calls all classes in a picture, and those with an object that is not
# "difficult"; VOC's rules leave a picture with only difficult ones out.
_ALL, _COUNTED = "labels", "labels_no_difficult"


def open_multi_label(
  name: str, split: str, data_dir: str
) -> sources.EncodedSource:
  """Opens one split of a prepared set of pictures with several classes each.

  All records are read once for their labels. The files of a TFRecord set stay
  in memory, encoded as they are.

  Args:
    name: as TFDS writes it: "voc/2007".
    split: as TFDS writes it.
    data_dir: as in `tfds_source.open_tfds`.

  Returns:
    Pictures with labels [n, num_classes] int32: 1 present, 0 absent and -1
    where all objects of the class are difficult, not to be counted.

  Raises:
    ValueError: the set is not prepared or damaged, has no such split or labels,
      or a label is no class.
  """
  builder = tfds_builder.find(name, data_dir)
  num_images = tfds_builder.split_size(builder, name, split)
  missing = {"image", _ALL, _COUNTED} - set(builder.info.features)
  if missing:
    raise ValueError(
      f"the TFDS set {name!r} does not say all classes of a picture: it lacks"
      f" {', '.join(sorted(missing))}."
    )
  class_names = tuple(builder.info.features[_ALL].feature.names)
  records = _records(builder, split)
  labels = np.zeros((num_images, len(class_names)), np.int32)
  plain = np.zeros(num_images, bool)
  for position in range(num_images):
    record = tfds_source.record(records, position, name)
    problems.check_labels(np.asarray(record[_ALL]), class_names)
    _mark(labels[position], record)
    plain[position] = tfds_source.is_plain_jpeg(record["image"])
  return sources.EncodedSource(
    num_images=num_images,
    labels=labels,
    class_names=class_names,
    read=lambda position: tfds_source.record(records, position, name)["image"],
    name=lambda position: f"picture {position} of {name}",
    is_plain_jpeg=plain,
  )


def _mark(row: np.ndarray, record: Mapping[str, Any]) -> None:
  """Writes one picture's labels."""
  row[np.asarray(record[_ALL], np.int64)] = -1
  row[np.asarray(record[_COUNTED], np.int64)] = 1


def _records(builder: tfds.core.DatasetBuilder, split: str):
  """Random access to records whose pictures stay encoded."""
  skip = tfds.decode.SkipDecoding()
  if tfds_builder.has_random_access(builder):
    return builder.as_data_source(
      split, decoders={"image": skip}, file_format="array_record"
    )
  kept = tfds.decode.PartialDecoding(
    {"image": True, _ALL: True, _COUNTED: True}, decoders={"image": skip}
  )
  dataset = builder.as_dataset(
    split=split, decoders=kept, read_config=tfds_source.read_config(None)
  )
  try:
    return list(dataset.as_numpy_iterator())
  except tf.errors.OpError as error:
    raise ValueError(batching.unreadable_files(error)) from error
