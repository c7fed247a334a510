"""Opens one part of the data set that a config names."""

from collections.abc import Sequence

import ml_collections

from byol_jax.data import folder, photo_patches, sources

# Labels of a picture: none, its class, or all classes it belongs to.
LABELS = ("none", "one", "many")


def is_named(data: ml_collections.ConfigDict, part: str) -> bool:
  """Whether a config's `data` section says where a part is.

  Args:
    data: the section, of a pretraining or of an evaluation.
    part: "train", "valid" or "test".
  """
  if data.source == "photo_patches":
    return part in photo_patches.SPLITS
  return bool(data[_key(data, part)])


def open_part(
  data: ml_collections.ConfigDict,
  part: str,
  labels: str,
  class_names: Sequence[str] = (),
) -> sources.Source:
  """Opens a part.

  Args:
    data: the config's `data` section, of a pretraining or of an evaluation.
    part: "train", "valid" or "test".
    labels: one of `LABELS`.
    class_names: the classes of the training part, which fix the numbering;
      empty when this is the training part or unlabelled.

  Returns:
    The opened part, not decoded.

  Raises:
    ValueError: the part is not named, missing, empty or corrupt, or its labels
      are others.
  """
  if not is_named(data, part):
    where = f"data.{_key(data, part)} is empty"
    if data.source == "photo_patches":
      where = "data.source=photo_patches has none"
    raise ValueError(f"the {part} part is asked for, but {where}.")
  if data.source == "tfds":
    return _open_tfds(data, part, labels, tuple(class_names))
  if labels == "many":
    raise ValueError(
      "pictures of several classes each, as data.metric=map11 scores, come only"
      f" from TFDS sets such as voc/2007, not from data.source={data.source}."
    )
  if data.source == "folder":
    return folder.open_pictures(
      data[f"{part}_path"],
      data[f"{part}_prefix"],
      labels == "one",
      data.corrupt,
      class_names,
    )
  patches = photo_patches.load(part)
  if labels == "none":
    return patches._replace(labels=patches.labels[:0], class_names=())
  return patches


def _key(data: ml_collections.ConfigDict, part: str) -> str:
  return f"{part}_path" if data.source == "folder" else f"{part}_split"


def _open_tfds(
  data: ml_collections.ConfigDict,
  part: str,
  labels: str,
  class_names: tuple[str, ...],
) -> sources.Source:
  # TensorFlow takes seconds to import: only those who need it wait.
  from byol_jax.data import tfds_multi_label, tfds_source

  name, split = data.tfds_name, data[f"{part}_split"]
  if part == "valid":
    name = data.valid_tfds_name or name
  if labels == "many":
    opened = tfds_multi_label.open_multi_label(name, split, data.data_dir)
  else:
    opened = tfds_source.open_tfds(name, split, data.data_dir, labels == "one")
  if class_names and opened.class_names != class_names:
    raise ValueError(
      f"the TFDS sets {data.tfds_name!r} and {name!r} have different classes."
    )
  return opened


def with_access(
  source: sources.Source | None, views: str
) -> sources.Source | None:
  """A stream that is to be pooled, with random access; others as they are.

  Args:
    source: any, or None for a part that there is not.
    views: `data.views`; "memory" pools.
  """
  if isinstance(source, sources.StreamSource) and views == "memory":
    # Imports TensorFlow, which such a source needs anyway.
    from byol_jax.data import tfds_source

    return tfds_source.read_all(source)
  return source
