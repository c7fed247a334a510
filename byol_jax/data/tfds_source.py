"""Any image data set that TensorFlow Datasets has prepared, by name and split.

Nothing is downloaded or prepared here: the files must be there, on a disk or in
a bucket (`gs://`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from byol_jax.data import batching, pictures, sources, tfds_builder

# The accelerators belong to JAX.
tf.config.set_visible_devices([], "GPU")

# What was seen to be raised over missing, truncated or changed array_records.
_UNREADABLE = (RuntimeError, TypeError, LookupError, ValueError, OSError)
# Files that a shuffled stream reads at once.
_INTERLEAVED_FILES = 16


# Training pictures and classes: a plan can be made before the download.
_KNOWN_SIZES = {
  ("cifar10", "train"): (50_000, 10),
  ("imagenet2012", "train"): (1_281_167, 1000),
  ("imagenette/160px-v2", "train"): (9_469, 10),
  ("stl10", "train+unlabelled"): (105_000, 10),
}


def size_and_classes(
  name: str, split: str, data_dir: str, labelled: bool
) -> tuple[int, int]:
  """Number of pictures and of classes (0 when unlabelled).

  For the training split of the sets that our configs name, nothing has to be
  prepared; any other is opened.

  Raises:
    ValueError: as `open_tfds`.
  """
  known = (name.partition(":")[0], split)
  if known in _KNOWN_SIZES:
    num_images, num_classes = _KNOWN_SIZES[known]
    return num_images, num_classes if labelled else 0
  source = open_tfds(name, split, data_dir, labelled)
  return source.num_images, len(source.class_names)


def open_tfds(
  name: str, split: str, data_dir: str, labelled: bool
) -> sources.RecordSource | sources.StreamSource:
  """Opens one split of a prepared data set.

  Args:
    name: as TFDS writes it: "cifar10", "imagenet2012:5.1.0", "set/config".
    split: as TFDS writes it: "train", "train[:10000]", "train[10000:]".
    data_dir: where the data set is prepared; empty for TFDS's own choice.
    labelled: whether to read the labels.

  Returns:
    Random access where the files are in the array_record format, and otherwise
    a stream.

  Raises:
    ValueError: if the data set is not prepared there, has no such split, no
      pictures or, when asked for, no labels.
  """
  builder = tfds_builder.find(name, data_dir)
  num_images = tfds_builder.split_size(builder, name, split)
  image_key, label_key = _keys(builder, name, labelled)
  class_names = tuple(
    builder.info.features[label_key].names if labelled else ()
  )
  if tfds_builder.has_random_access(builder):
    read = _reader(builder, split, image_key, label_key)
    return sources.RecordSource(num_images, labelled, class_names, read)
  opener = _opener(builder, split, image_key, label_key)
  return sources.StreamSource(num_images, labelled, class_names, opener)


def read_all(
  source: sources.RecordSource | sources.StreamSource,
) -> sources.EncodedSource:
  """Keeps all files, still encoded, in memory, as `memory.decode_all` needs.

  Args:
    source: a small data set.

  Returns:
    The same pictures in the same order.

  Raises:
    ValueError: the files cannot be read.
  """
  if isinstance(source, sources.StreamSource):
    kept = [
      (found["encoded"], found.get("label", 0)) for found in all_of(source)
    ]
  else:
    kept = [source.read(position) for position in range(source.num_images)]
  encoded, labels = zip(*kept, strict=True)
  return sources.EncodedSource(
    num_images=source.num_images,
    labels=np.array(labels if source.labelled else (), np.int32),
    class_names=source.class_names,
    read=encoded.__getitem__,
    name=lambda position: f"picture {position}",
    is_plain_jpeg=np.array([is_plain_jpeg(file) for file in encoded]),
  )


def all_of(source: sources.StreamSource) -> Iterator[dict[str, Any]]:
  """All records of a stream, in order.

  Raises:
    ValueError: the files cannot be read.
  """
  try:
    yield from source.open(None, 0, 1).as_numpy_iterator()
  except tf.errors.OpError as error:
    raise ValueError(batching.unreadable_files(error)) from error


def record(
  records: Sequence[Mapping[str, Any]], position: int, name: str
) -> Mapping[str, Any]:
  """One record of a set with random access.

  Args:
    records: of the set.
    position: in [0, size).
    name: of the set.

  Raises:
    ValueError: its file cannot be read.
  """
  try:
    found = records[position]
  except _UNREADABLE as error:
    raise ValueError(
      f"record {position} of the TFDS set {name!r} cannot be read ({error})."
    ) from error
  # What a truncated file gives.
  if any(value is None for value in found.values()):
    raise ValueError(f"record {position} of the TFDS set {name!r} is damaged.")
  return found


def is_plain_jpeg(encoded: bytes) -> bool:
  """As `pictures.inspect_header` of a whole file."""
  return pictures.inspect_header(lambda size: encoded[:size])


def _keys(
  builder: tfds.core.DatasetBuilder, name: str, labelled: bool
) -> tuple[str, str]:
  """Names of the features that hold picture and label, "" if unlabelled."""
  features = dict(builder.info.features.items())
  images = [
    key for key, kind in features.items() if type(kind) is tfds.features.Image
  ]
  labels = [
    key
    for key, kind in features.items()
    if isinstance(kind, tfds.features.ClassLabel)
  ]
  if not images:
    raise ValueError(
      f"the TFDS set {name!r} has no pictures: its features are"
      f" {', '.join(features)}."
    )
  if labelled and not labels:
    raise ValueError(
      f"the TFDS set {name!r} has no class labels: its features are"
      f" {', '.join(features)}; pretraining without labels is"
      " data.labelled=False."
    )
  return (
    _preferred(images, "image"),
    _preferred(labels, "label") if labelled else "",
  )


def _preferred(keys: list[str], usual: str) -> str:
  return usual if usual in keys else keys[0]


def _reader(builder, split: str, image_key: str, label_key: str):
  """Random access to encoded pictures and labels."""
  records = builder.as_data_source(
    split,
    decoders={image_key: tfds.decode.SkipDecoding()},
    file_format="array_record",
  )

  def read(position):
    found = record(records, position, builder.name)
    return found[image_key], int(found[label_key]) if label_key else 0

  return read


def _opener(builder, split: str, image_key: str, label_key: str):
  """Streams of encoded pictures and labels, as `StreamSource.open`."""
  kept = {key: True for key in (image_key, label_key) if key}
  decoders = tfds.decode.PartialDecoding(
    kept, decoders={image_key: tfds.decode.SkipDecoding()}
  )

  def rename(found):
    example = {"encoded": found[image_key]}
    if label_key:
      example["label"] = found[label_key]
    return example

  def open_stream(seed, host, num_hosts):
    return builder.as_dataset(
      split=tfds.even_splits(split, num_hosts)[host],
      shuffle_files=seed is not None,
      decoders=decoders,
      read_config=read_config(seed),
    ).map(rename)

  return open_stream


def read_config(seed: int | None) -> tfds.ReadConfig:
  """The same order again for the same seed, and in file order for none."""
  return tfds.ReadConfig(
    shuffle_seed=seed,
    shuffle_reshuffle_each_iteration=False,
    interleave_cycle_length=1 if seed is None else _INTERLEAVED_FILES,
    try_autocache=False,
    skip_prefetch=True,
  )
