"""A tiny data set, prepared by TFDS in both kinds of files."""

import io
import itertools
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
import tiny
import whole
from PIL import Image
from test_labelled import data_section

from byol_jax import inputs, labelled
from byol_jax.data import (
  memory,
  pictures,
  pipeline,
  selection,
  sources,
  tfds_source,
)

_NUM_TRAIN, _NUM_TEST = 20, 7
_POLICY = whole.POLICY._replace(crop_area=(0.2, 1.0), flip=0.5)
_VIEWS = sources.Views((_POLICY, _POLICY), 8, "device")


def _jpeg(shade):
  file = io.BytesIO()
  Image.new("RGB", (16, 12), (shade, shade, shade)).save(file, "JPEG")
  file.seek(0)
  return file


class Shades(tfds.core.GeneratorBasedBuilder):
  """Grey pictures; the label is the parity of the shade's number."""

  VERSION = tfds.core.Version("1.0.0")

  def _info(self):
    features = {
      "image": tfds.features.Image(
        shape=(None, None, 3), encoding_format="jpeg"
      ),
      "label": tfds.features.ClassLabel(names=["even", "odd"]),
      "file_name": tfds.features.Text(),
    }
    return tfds.core.DatasetInfo(
      builder=self, features=tfds.features.FeaturesDict(features)
    )

  def _split_generators(self, manager):
    return {
      "train": self._generate_examples(_NUM_TRAIN),
      "test": self._generate_examples(_NUM_TEST),
    }

  def _generate_examples(self, count):
    for number in range(count):
      yield (
        number,
        {
          "image": _jpeg(10 * number),
          "label": number % 2,
          "file_name": f"{number}.jpg",
        },
      )


class Numbers(tfds.core.GeneratorBasedBuilder):
  """A picture of other classes."""

  VERSION = tfds.core.Version("1.0.0")

  def _info(self):
    features = {
      "image": tfds.features.Image(encoding_format="jpeg"),
      "label": tfds.features.ClassLabel(names=["one", "two"]),
    }
    return tfds.core.DatasetInfo(
      builder=self, features=tfds.features.FeaturesDict(features)
    )

  def _split_generators(self, manager):
    return {"train": iter([(0, {"image": _jpeg(0), "label": 0})])}

  def _generate_examples(self):
    raise NotImplementedError


class Words(tfds.core.GeneratorBasedBuilder):
  """A data set without pictures."""

  VERSION = tfds.core.Version("1.0.0")

  def _info(self):
    features = {"word": tfds.features.Text()}
    return tfds.core.DatasetInfo(
      builder=self, features=tfds.features.FeaturesDict(features)
    )

  def _split_generators(self, manager):
    return {"train": iter([(0, {"word": "sea"})])}

  def _generate_examples(self):
    raise NotImplementedError


def prepare(builder_class, root, file_format, num_shards):
  builder_class(
    data_dir=str(root), file_format=file_format
  ).download_and_prepare(
    download_config=tfds.download.DownloadConfig(
      try_download_gcs=False, num_shards=num_shards
    )
  )
  return str(root)


@pytest.fixture(scope="module", params=["array_record", "tfrecord"])
def data_dir(request, tmp_path_factory):
  root = tmp_path_factory.mktemp(request.param)
  return prepare(Shades, root, request.param, num_shards=5)


def _reader(host=0, num_hosts=1):
  return sources.Reader(0, 4, host, num_hosts)


def _shades(batch):
  """The picture's number, from its colour."""
  return np.round(batch["view1"][:, 0, 0, 0] / 10).astype(int)


def _train(source, reader, start_step, count):
  batches = pipeline.train_batches(source, _VIEWS, reader, start_step)
  return list(itertools.islice(batches, count))


def test_open_tfds_gives_random_access_where_it_can(data_dir):
  source = tfds_source.open_tfds("shades", "train", data_dir, True)
  random_access = isinstance(source, sources.RecordSource)
  assert random_access == ("array_record" in data_dir)
  assert source.num_images == _NUM_TRAIN
  assert source.class_names == ("even", "odd")
  assert source.labelled


@pytest.mark.parametrize("num_hosts", [1, 2])
def test_each_epoch_has_each_picture_once(data_dir, num_hosts):
  source = tfds_source.open_tfds("shades", "train", data_dir, True)
  orders = [[], []]
  for host in range(num_hosts):
    for step, batch in enumerate(
      _train(source, _reader(host, num_hosts), 0, 10)
    ):
      assert len(batch["labels"]) == 4 // num_hosts
      shades = _shades(batch)
      np.testing.assert_array_equal(batch["labels"], shades % 2)
      orders[step // 5].extend(shades)
  for order in orders:
    np.testing.assert_array_equal(np.sort(order), np.arange(_NUM_TRAIN))
  assert orders[0] != orders[1]


@pytest.mark.parametrize("step", [2, 6])
def test_resumed_batches_are_the_same(data_dir, step):
  source = tfds_source.open_tfds("shades", "train[:18]", data_dir, True)
  whole = _train(source, _reader(), 0, 8)
  resumed = _train(source, _reader(), step, 8 - step)
  for first, second in zip(whole[step:], resumed, strict=True):
    for name in ("view1", "view2", "index", "labels"):
      np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize("num_hosts", [1, 2, 4])
def test_evaluation_shows_each_picture_once(data_dir, num_hosts):
  source = tfds_source.open_tfds("shades", "test", data_dir, True)
  seen = []
  for host in range(num_hosts):
    reader = _reader(host, num_hosts)
    batches = list(pipeline.eval_batches(source, 8, reader))
    assert len(batches) == 2
    for batch in batches:
      real = batch["mask"]
      shades = np.round(batch["images"][real][:, 0, 0, 0] / 10)
      np.testing.assert_array_equal(batch["labels"][real], shades % 2)
      seen.extend(shades)
  np.testing.assert_array_equal(np.sort(seen), np.arange(_NUM_TEST))


def test_unlabelled_reading_leaves_labels_out(data_dir):
  source = tfds_source.open_tfds("shades", "train", data_dir, False)
  assert source.class_names == ()
  (batch,) = _train(source, _reader(), 0, 1)
  assert set(batch) == {"view1", "view2", "index"}


@pytest.mark.parametrize("labelled", [True, False])
def test_read_all_keeps_the_order_of_evaluation(data_dir, labelled):
  source = tfds_source.open_tfds("shades", "test", data_dir, labelled)
  kept = tfds_source.read_all(source)
  assert kept.num_images == _NUM_TEST
  assert kept.is_plain_jpeg.all()
  pool = memory.decode_all(kept)
  shades = np.round(pool.images[:, 0, 0, 0] / 10)
  np.testing.assert_array_equal(np.sort(shades), np.arange(_NUM_TEST))
  np.testing.assert_array_equal(pool.labels, shades % 2 if labelled else [])
  batches = pipeline.eval_batches(source, 8, _reader())
  first = next(batches)["images"][:, 0, 0, 0]
  np.testing.assert_array_equal(np.round(first / 10), shades[:4])


def test_splits_of_one_set_are_different_pictures(data_dir):
  parts = [
    tfds_source.read_all(tfds_source.open_tfds("shades", split, data_dir, True))
    for split in ("train[:5]", "train[5:]")
  ]
  assert [part.num_images for part in parts] == [5, 15]
  shades = [
    pictures.decode(part.read(number))[0, 0, 0]
    for part in parts
    for number in range(part.num_images)
  ]
  assert len(set(shades)) == _NUM_TRAIN


def test_set_that_is_not_prepared_is_explained(tmp_path):
  with pytest.raises(
    ValueError, match=r"'nothing' is not prepared.*tfds\.builder\('nothing'"
  ):
    tfds_source.open_tfds("nothing", "train", str(tmp_path), True)


def test_manual_download_of_imagenet_is_explained(tmp_path):
  with pytest.raises(ValueError, match=r"ILSVRC2012_img_train.tar.*manual"):
    tfds_source.open_tfds("imagenet2012", "train", str(tmp_path), True)


@pytest.mark.parametrize("name", ["", "a b;c", "../shades", "shades/x/y/z"])
def test_a_name_that_is_none_is_refused(data_dir, name):
  with pytest.raises(ValueError, match=r"(opened|prepared).*data.data_dir"):
    tfds_source.open_tfds(name, "train", data_dir, True)


@pytest.fixture
def damaged(data_dir, tmp_path):
  """A copy that may be damaged."""
  return pathlib.Path(shutil.copytree(data_dir, tmp_path / "copy"))


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff"])
def test_a_half_prepared_set_is_named(damaged, name, content):
  (path,) = damaged.rglob(name)
  path.unlink()
  if content is not None:
    path.write_bytes(content)
  with pytest.raises(ValueError, match=r"'shades'.*data_dir.*prepare") as error:
    tfds_source.open_tfds("shades", "train", str(damaged), True)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", ["missing", "short", "changed"])
def test_files_that_cannot_be_read_are_one_sentence(damaged, damage):
  path = min(damaged.rglob("shades-train*-of-*"))
  content = path.read_bytes()
  half = len(content) // 2
  path.unlink()
  if damage == "short":
    path.write_bytes(content[:half])
  if damage == "changed":
    other = bytes([content[half] ^ 255])
    path.write_bytes(content[:half] + other + content[half + 1 :])
  source = tfds_source.open_tfds("shades", "train", str(damaged), True)
  said = r"(record \d+ of .*'shades'|TFRecord data set) (is|cannot be)"
  for use in (tfds_source.read_all, selection.labels):
    with pytest.raises(ValueError, match=said):
      use(source)
  with pytest.raises(ValueError, match=said) as error:
    _train(source, _reader(), 0, 5)
  assert "{{" not in str(error.value)


@pytest.mark.parametrize("views", ["memory", "device"])
def test_a_label_out_of_range_is_refused(damaged, views):
  """As in a test split whose labels are hidden, or under fewer names."""
  (path,) = damaged.rglob("label.labels.txt")
  path.write_text("even\n")
  changes = {"data__source": "tfds", "data__tfds_name": "shades"}
  config = tiny.config(
    **changes, data__data_dir=str(damaged), data__views=views
  )
  config.data.train_split, config.data.test_split = "train", ""
  with pytest.raises(ValueError, match=r"label 1, and 1 classes .*labelled"):
    next(inputs.train_batches(inputs.open_inputs(config), 0, 4, 0))


@pytest.mark.parametrize("split", ["trian", "train[a:]", "train[50:]"])
def test_unknown_split_is_named(data_dir, split):
  with pytest.raises(ValueError, match=r"has no split 't.*test, train"):
    tfds_source.open_tfds("shades", split, data_dir, True)


def test_set_without_pictures_is_named(tmp_path):
  prepare(Words, tmp_path, "array_record", num_shards=1)
  with pytest.raises(ValueError, match=r"'words' has no pictures.*word"):
    tfds_source.open_tfds("words", "train", str(tmp_path), False)


def test_a_small_set_goes_into_memory(data_dir):
  config = tiny.config(
    data__source="tfds",
    data__tfds_name="shades",
    data__data_dir=data_dir,
    data__test_split="",
  )
  data = inputs.open_inputs(config)
  assert config.data.views == "memory"
  assert data.train.images.shape[0] == _NUM_TRAIN
  assert len(set(data.train.images[:, 0, 0, 0])) == _NUM_TRAIN
  assert data.test is None


def test_size_of_a_prepared_set_is_read(data_dir):
  found = tfds_source.size_and_classes("shades", "train", data_dir, True)
  assert found == (_NUM_TRAIN, 2)


def test_size_of_imagenet_is_known_before_the_download(tmp_path):
  found = tfds_source.size_and_classes(
    "imagenet2012:5.*.*", "train", str(tmp_path), True
  )
  assert found == (1_281_167, 1000)


def _parts(data_dir, **changes):
  data = data_section(
    source="tfds",
    tfds_name="shades",
    data_dir=data_dir,
    train_split="train",
    test_split="test",
    **changes,
  )
  return labelled.open_parts(data, "", seed=0)


def _pooled_shades(source):
  return set(np.round(source.images[:, 0, 0, 0] / 10))


def test_a_part_is_held_out_of_any_set_in_memory(data_dir):
  parts = _parts(data_dir, hold_out="per_class", hold_out_images=3)
  np.testing.assert_array_equal(np.bincount(parts.valid.labels), [3, 3])
  assert len(parts.train.images) == _NUM_TRAIN - 6
  assert len(parts.test.images) == _NUM_TEST
  held, left = _pooled_shades(parts.valid), _pooled_shades(parts.train)
  assert held | left == set(range(_NUM_TRAIN))


def test_a_part_is_held_out_of_files_with_random_access_alone(data_dir):
  changes = {"views": "device", "hold_out": "balanced", "hold_out_share": 0.2}
  if "array_record" not in data_dir:
    with pytest.raises(ValueError, match=r"array_record.*slices"):
      _parts(data_dir, **changes)
    return
  parts = _parts(data_dir, **changes)
  found = selection.labels(parts.valid)
  np.testing.assert_array_equal(np.bincount(found), [2, 2])
  assert sources.size(labelled.combined(parts)) == _NUM_TRAIN


def test_given_slices_need_no_random_access(data_dir):
  parts = _parts(
    data_dir, views="host", hold_out="given", valid_split="train[15:]"
  )
  reader = sources.Reader(0, 8, 0, 1)
  (batch,) = parts.reads.eval_batches(parts.valid, 8, reader)
  assert batch["mask"].sum() == 5
  np.testing.assert_array_equal(
    selection.labels(parts.valid), batch["labels"][batch["mask"]]
  )


def test_valid_of_another_set_has_to_have_the_same_classes(data_dir):
  prepare(Numbers, data_dir, "array_record", num_shards=1)
  with pytest.raises(ValueError, match=r"'shades' and 'numbers'.*classes"):
    _parts(
      data_dir,
      hold_out="given",
      valid_tfds_name="numbers",
      valid_split="train",
    )
