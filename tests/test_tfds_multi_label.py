"""A tiny set like PASCAL VOC, prepared by TFDS in both kinds of files."""

import io
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from test_labelled import data_section
from test_tfds_source import Words, prepare

from byol_jax import labelled
from byol_jax.data import pictures, sources, tfds_multi_label

_NAMES = ("boat", "cat", "dog")
# Of each picture: all classes, and those with an object that is not difficult.
_OBJECTS = [([0], [0]), ([0, 1], [1]), ([], []), ([1, 2], []), ([0, 2], [0, 2])]
_ROWS = np.array([[1, 0, 0], [-1, 1, 0], [0, 0, 0], [0, -1, -1], [1, 0, 1]])


class Scenes(tfds.core.GeneratorBasedBuilder):
  """Grey pictures, 40 times their number bright, of several classes each."""

  VERSION = tfds.core.Version("1.0.0")

  def _info(self):
    classes = tfds.features.Sequence(tfds.features.ClassLabel(names=_NAMES))
    features = {
      "image": tfds.features.Image(),
      "labels": classes,
      "labels_no_difficult": classes,
    }
    return tfds.core.DatasetInfo(
      builder=self, features=tfds.features.FeaturesDict(features)
    )

  def _split_generators(self, manager):
    parts = ("train", "validation", "test")
    return {part: self._generate_examples() for part in parts}

  def _generate_examples(self):
    for number, (everything, counted) in enumerate(_OBJECTS):
      file = io.BytesIO()
      Image.new("RGB", (16, 12), (40 * number,) * 3).save(file, "JPEG")
      file.seek(0)
      example = {
        "image": file,
        "labels": everything,
        "labels_no_difficult": counted,
      }
      yield number, example


@pytest.fixture(scope="module", params=["array_record", "tfrecord"])
def data_dir(request, tmp_path_factory):
  root = tmp_path_factory.mktemp(request.param)
  return prepare(Scenes, root, request.param, num_shards=1)


def _number(encoded):
  return round(pictures.decode(encoded)[0, 0, 0] / 40)


def test_labels_are_present_absent_or_not_to_be_counted(data_dir):
  source = tfds_multi_label.open_multi_label("scenes", "train", data_dir)
  assert isinstance(source, sources.EncodedSource)
  assert source.class_names == _NAMES
  assert source.labels.dtype == np.int32
  assert source.is_plain_jpeg.all()
  numbers = [_number(source.read(n)) for n in range(source.num_images)]
  assert sorted(numbers) == list(range(5))
  np.testing.assert_array_equal(source.labels, _ROWS[numbers])


@pytest.mark.parametrize("views", ["memory", "device"])
def test_both_kinds_of_batches_carry_all_labels(data_dir, views):
  data = data_section(
    source="tfds",
    tfds_name="scenes",
    data_dir=data_dir,
    train_split="train",
    valid_split="validation",
    test_split="test",
    hold_out="given",
    metric="map11",
    views=views,
  )
  parts = labelled.open_parts(data, "", seed=0)
  both = labelled.combined(parts)
  reader = sources.Reader(0, 10, 0, 1)
  (batch,) = parts.reads.eval_batches(both, 8, reader)
  numbers = np.round(batch["images"][:, 0, 0, 0] / 40).astype(int)
  np.testing.assert_array_equal(batch["labels"], _ROWS[numbers])


def test_set_without_all_classes_is_named(tmp_path):
  prepare(Words, tmp_path, "array_record", num_shards=1)
  with pytest.raises(ValueError, match=r"'words' does not say.*labels_no_diff"):
    tfds_multi_label.open_multi_label("words", "train", str(tmp_path))


def test_missing_set_is_explained(tmp_path):
  with pytest.raises(ValueError, match="'voc/2007' is not prepared"):
    tfds_multi_label.open_multi_label("voc/2007", "train", str(tmp_path))


def test_a_label_out_of_range_is_refused(data_dir, tmp_path):
  copy = shutil.copytree(data_dir, tmp_path / "copy")
  for path in copy.rglob("labels*.labels.txt"):
    path.write_text("boat\ncat\n")
  with pytest.raises(ValueError, match="label 2, and 2 classes"):
    tfds_multi_label.open_multi_label("scenes", "train", str(copy))
