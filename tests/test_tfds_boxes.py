"""Boxes of sets that TensorFlow Datasets has prepared."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from test_tfds_source import Words, prepare

from byol_jax.data import tfds_boxes


def _scenes(mark, boxes):
  """Examples of TFDS, of 40x20: none, and some boxes, the second one marked."""
  for number, there in enumerate(([], boxes)):
    file = io.BytesIO()
    Image.new("RGB", (40, 20)).save(file, "JPEG")
    file.seek(0)
    found = [
      {
        "label": i % 2,
        "bbox": tfds.features.BBox(*map(float, box)),
        mark: i == 1,
      }
      for i, box in enumerate(there)
    ]
    yield number, {"image": file, "objects": found}


def _described(builder, mark):
  inner = {
    "label": tfds.features.ClassLabel(names=["cat", "dog"]),
    "bbox": tfds.features.BBoxFeature(),
    mark: np.bool_,
  }
  features = {
    "image": tfds.features.Image(),
    "objects": tfds.features.Sequence(inner),
  }
  return tfds.core.DatasetInfo(
    builder=builder, features=tfds.features.FeaturesDict(features)
  )


# Registered, they would stand for the real sets in other tests.
class Voc(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Corners from 1, both inside, over the sides: all, and 4 to 6, 10 to 12."""

  VERSION = tfds.core.Version("1.0.0")
  BUILDER_CONFIGS = (tfds.core.BuilderConfig(name="2007"),)

  def _info(self):
    return _described(self, "is_difficult")

  def _split_generators(self, manager):
    return {"train": self._generate_examples()}

  def _generate_examples(self):
    whole, small = (1 / 20, 1 / 40, 1, 1), (5 / 20, 11 / 40, 6 / 20, 12 / 40)
    return _scenes("is_difficult", [whole, small])


class Coco(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Edges over the sides: all, 4 to 6 by 10 to 12, and one without inside."""

  VERSION = tfds.core.Version("1.0.0")
  BUILDER_CONFIGS = (tfds.core.BuilderConfig(name="2017"),)

  def _info(self):
    return _described(self, "is_crowd")

  def _split_generators(self, manager):
    return {"train": self._generate_examples()}

  def _generate_examples(self):
    small = (4 / 20, 10 / 40, 6 / 20, 12 / 40)
    return _scenes("is_crowd", [(0, 0, 1, 1), small, (0.5, 0.5, 0.5, 0.7)])


@pytest.mark.parametrize(
  ("builder", "name", "file_format"),
  [(Voc, "voc/2007", "array_record"), (Coco, "coco/2017", "tfrecord")],
)
def test_tfds_objects_become_pixels(tmp_path, builder, name, file_format):
  data_dir = prepare(builder, tmp_path, file_format, num_shards=1)
  source = tfds_boxes.open_tfds(name, "train", data_dir)
  assert (source.num_images, source.class_names) == (2, ("cat", "dog"))
  images, found = zip(*(source.read(i) for i in range(2)), strict=True)
  assert images[0].shape == (20, 40, 3)
  (full,) = (x for x in found if len(x.boxes))
  np.testing.assert_allclose(
    full.boxes, [[0, 0, 20, 40], [4, 10, 6, 12]], atol=1e-4
  )
  np.testing.assert_array_equal(full.classes, [0, 1])
  np.testing.assert_array_equal(full.difficult, [False, True])
  # Of array_record every record would have to be read.
  prints = {source.fingerprint(i) for i in range(2)}
  assert len(prints) == (2 if file_format == "tfrecord" else 1)


def test_a_tfds_set_without_boxes_is_named(tmp_path):
  prepare(Words, tmp_path, "array_record", num_shards=1)
  with pytest.raises(ValueError, match="'words' has no boxes"):
    tfds_boxes.open_tfds("words", "train", str(tmp_path))
