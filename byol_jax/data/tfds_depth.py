"""Pictures with depth that TensorFlow Datasets has prepared."""

import numpy as np
import tensorflow as tf

from byol_jax.data import annotated, tfds_builder, tfds_source

# The accelerators belong to JAX.
tf.config.set_visible_devices([], "GPU")


def open_depth(
  name: str, split: str, data_dir: str, scale: float
) -> annotated.AnnotatedSource:
  """Opens one split of a set such as `nyu_depth_v2`.

  Args:
    name: as TFDS writes it.
    split: as TFDS writes it: "train", "train[:1000]".
    data_dir: where the set is prepared; empty for TFDS's own choice.
    scale: metres of one stored unit; `nyu_depth_v2` has metres.

  Returns:
    Pictures and float32 depth in metres, 0 where it is not known.

  Raises:
    ValueError: the set is not prepared there, lacks the split, random access or
      depth; by `read`, a record is damaged.
  """
  builder = tfds_builder.find(name, data_dir)
  num_images = tfds_builder.split_size(builder, name, split)
  features = tuple(builder.info.features)
  if not {"image", "depth"} <= set(features):
    raise ValueError(
      f"the TFDS set {name!r} has no image and depth: its features are"
      f" {', '.join(features)}."
    )
  if not tfds_builder.has_random_access(builder):
    raise ValueError(
      f"the TFDS set {name!r} is not prepared in the array_record format,"
      " which depth needs: prepare it with file_format='array_record'."
    )
  records = builder.as_data_source(split, file_format="array_record")

  def read(position):
    found = tfds_source.record(records, position, name)
    depth = np.asarray(found["depth"], np.float32) * np.float32(scale)
    return np.asarray(found["image"]), depth

  return annotated.AnnotatedSource(
    num_images, (), read, lambda position: f"{split}, picture {position}"
  )
