"""Labelled data in three parts, and the two parts of the last fit together."""

import io
import logging

import ml_collections
import numpy as np
import pytest
from PIL import Image

from byol_jax import labelled
from byol_jax.data import benchmark_sets, memory, opening, selection, sources

_PARTS = ("train", "valid", "test")
_CLASSES = ("cat", "dog", "eel")


def data_section(**changes):
  """The `data` section of an evaluation."""
  values = {
    "source": "photo_patches",
    "tfds_name": "",
    "valid_tfds_name": "",
    "data_dir": "",
    **{f"{part}_split": "" for part in _PARTS},
    **{f"{part}_path": "" for part in _PARTS},
    **{f"{part}_prefix": "" for part in _PARTS},
    "corrupt": "skip",
    "hold_out": "random",
    "hold_out_images": 0,
    "hold_out_share": 0.25,
    "train_share": 1.0,
    "metric": "top1",
    "views": "memory",
    "stored_px": 0,
    "sets_root": "",
    "image_px": 16,
  }
  return ml_collections.ConfigDict({**values, **changes})


def _write(folder, counts, height=6, width=6):
  """So many one-coloured pictures of each class; each has its own colour."""
  shade = 0
  for name, count in zip(_CLASSES, counts, strict=True):
    (folder / name).mkdir(parents=True)
    for number in range(count):
      pixels = np.full((height, width, 3), shade, np.uint8)
      Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
      shade += 1


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  root = tmp_path_factory.mktemp("pictures")
  _write(root / "train", (8, 8, 8))
  _write(root / "valid", (0, 2, 1))
  _write(root / "test", (4, 0, 2))
  return root


def _folder_data(root, **changes):
  paths = {f"{part}_path": str(root / part) for part in _PARTS}
  return data_section(**{"source": "folder", **paths, **changes})


def _shades(source):
  """The pictures' numbers, which are their colours."""
  return list(source.images[:, 0, 0, 0])


def _sizes(parts):
  return tuple(sources.size(x) for x in (parts.train, parts.valid, parts.test))


def test_photo_patches_are_divided_at_random():
  parts = labelled.open_parts(data_section(), "", seed=0)
  whole = sources.size(labelled.combined(parts))
  assert sources.size(parts.valid) == round(whole / 4)
  assert parts.class_names == parts.train.class_names
  assert len(parts.class_names) == 10
  assert (parts.metric, parts.reads) == ("top1", memory)
  assert set(parts.valid.labels) == set(parts.test.labels) == set(range(10))


@pytest.mark.parametrize(
  ("rule", "images", "share", "expected"),
  [
    ("last", 5, 0.0, [0, 0, 5]),
    ("last", 0, 0.5, [0, 4, 8]),
    ("per_class", 2, 0.0, [2, 2, 2]),
    ("balanced", 0, 0.25, [2, 2, 2]),
    ("balanced", 9, 0.0, [3, 3, 3]),
    # The test part has 4 cats and 2 eels.
    ("like_test", 6, 0.0, [4, 0, 2]),
  ],
)
def test_rules_hold_out_of_train(root, rule, images, share, expected):
  data = _folder_data(
    root, hold_out=rule, hold_out_images=images, hold_out_share=share
  )
  parts = labelled.open_parts(data, "", seed=0)
  assert list(np.bincount(parts.valid.labels, minlength=3)) == expected
  train, valid = _shades(parts.train), _shades(parts.valid)
  assert sorted(train + valid) == list(range(24))
  assert train == sorted(train)
  np.testing.assert_array_equal(parts.train.labels, np.array(train) // 8)


@pytest.mark.parametrize("rule", ["balanced", "per_class"])
def test_no_rare_class_is_held_out_as_a_whole(tmp_path, rule):
  _write(tmp_path / "train", (20, 3, 1))
  _write(tmp_path / "test", (1, 1, 1))
  data = _folder_data(tmp_path, hold_out=rule, hold_out_share=0.25)
  parts = labelled.open_parts(data, "", seed=0)
  assert list(np.bincount(parts.valid.labels, minlength=3)) == [5, 1, 0]
  assert list(np.bincount(parts.train.labels)) == [15, 2, 1]


def test_random_parts_depend_on_the_seed_alone(root):
  data = _folder_data(root, hold_out_images=8)
  first, again, other = (
    _shades(labelled.open_parts(data, "", seed).valid) for seed in (1, 1, 2)
  )
  assert len(first) == 8
  assert first == again
  assert first != other


def test_given_parts_are_numbered_like_train(root):
  data = _folder_data(root, hold_out="given")
  parts = labelled.open_parts(data, "", seed=0)
  assert _sizes(parts) == (24, 3, 6)
  # Cats are missing in valid, dogs in test.
  np.testing.assert_array_equal(parts.valid.labels, [1, 1, 2])
  np.testing.assert_array_equal(parts.test.labels, [0, 0, 0, 0, 2, 2])


def test_without_hold_out_there_is_no_valid(root):
  data = _folder_data(root, hold_out="none")
  parts = labelled.open_parts(data, "", seed=0)
  assert parts.valid is None
  assert labelled.combined(parts) is parts.train
  assert sources.size(parts.train) == 24


def test_train_share_is_taken_from_what_is_left(root):
  data = _folder_data(
    root, hold_out="per_class", hold_out_images=4, train_share=0.5
  )
  parts = labelled.open_parts(data, "", seed=0)
  np.testing.assert_array_equal(np.bincount(parts.train.labels), [2, 2, 2])
  assert not set(_shades(parts.train)) & set(_shades(parts.valid))
  assert sources.size(labelled.combined(parts)) == 18


def test_combined_joins_files_of_two_folders(root):
  data = _folder_data(root, hold_out="given", views="device")
  parts = labelled.open_parts(data, "", seed=0)
  assert parts.reads.__name__ == "byol_jax.data.pipeline"
  both = labelled.combined(parts)
  np.testing.assert_array_equal(
    selection.labels(both), [*parts.train.labels, *parts.valid.labels]
  )
  assert both.read(24) == parts.valid.read(0)


def test_stored_px_pools_pictures_of_many_sizes(root, tmp_path):
  _write(tmp_path / "test", (1, 1, 1), height=9, width=12)
  data = _folder_data(root, test_path=str(tmp_path / "test"), stored_px=5)
  parts = labelled.open_parts(data, "", seed=0)
  assert parts.train.images.shape[1:] == (5, 5, 3)
  assert parts.test.images.shape == (3, 5, 5, 3)


@pytest.mark.parametrize("views", ["memory", "device"])
def test_digest_sees_a_picture_in_another_class(tmp_path, views):
  _write(tmp_path / "train", (3, 2, 2))
  _write(tmp_path / "test", (1, 1, 1))
  data = _folder_data(tmp_path, hold_out="none", views=views)
  before, again = (
    labelled.digest(labelled.open_parts(data, "", seed=0)) for _ in range(2)
  )
  assert before == again
  moved = tmp_path / "train" / "cat" / "02.png"
  moved.rename(tmp_path / "train" / "dog" / "02.png")
  after = labelled.digest(labelled.open_parts(data, "", seed=0))
  assert after != before


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"test_path": ""}, r"test part .*data\.test_path is empty"),
    ({"hold_out": "given", "valid_path": ""}, r"valid .*data\.valid_path"),
    ({"metric": "map11"}, r"several classes .*map11.*data\.source=folder"),
    ({"hold_out": "last", "hold_out_images": 24}, "none of 24 images"),
    ({"hold_out": "last", "hold_out_images": 25}, "25 of 24"),
    (
      {"source": "photo_patches", "hold_out": "given"},
      "photo_patches has none",
    ),
  ],
)
def test_parts_that_cannot_be_are_named(root, changes, message):
  with pytest.raises(ValueError, match=message):
    labelled.open_parts(_folder_data(root, **changes), "", seed=0)


@pytest.mark.parametrize(
  "changes",
  [
    {"hold_out": "balanced"},
    {"hold_out": "none", "train_share": 0.5},
  ],
)
def test_stream_is_refused_before_it_is_read(monkeypatch, changes):
  def read(seed, host, num_hosts):
    raise AssertionError("the stream was read")

  stream = sources.StreamSource(9, True, _CLASSES, read)
  monkeypatch.setattr(opening, "open_part", lambda *_: stream)
  data = data_section(source="tfds", views="device", **changes)
  with pytest.raises(ValueError, match="picked out of a TFRecord"):
    labelled.open_parts(data, "", seed=0)


@pytest.mark.parametrize("kind", ["array", "files", "records"])
def test_a_label_beyond_the_classes_is_refused(monkeypatch, kind):
  parts = {name: _three([0, 1, 2], kind) for name in _PARTS}
  parts["test"] = _three([0, 3, 2], kind)
  monkeypatch.setattr(opening, "open_part", lambda data, part, *_: parts[part])
  data = data_section(source="tfds", hold_out="given")
  with pytest.raises(ValueError, match="label 3, and 3 classes"):
    labelled.open_parts(data, "", seed=0)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("kind", ["array", "files", "records"])
def test_pictures_without_a_class_are_refused(monkeypatch, place, kind):
  parts = [_three([0, 1, 2], kind) for _ in range(3)]
  parts[place] = _three([0, -1, 2], kind)
  monkeypatch.setattr(
    opening, "open_part", lambda data, part, *_: parts[_PARTS.index(part)]
  )
  data = data_section(source="tfds", hold_out="given")
  message = f"1 of 3 pictures of the {_PARTS[place]} part .* another split"
  with pytest.raises(ValueError, match=message):
    labelled.open_parts(data, "", seed=0)


def _three(labels, kind):
  labels = np.array(labels, np.int32)
  if kind == "array":
    pixels = np.zeros((3, 6, 6, 3), np.uint8)
    return sources.ArraySource(pixels, labels, _CLASSES)
  if kind == "records":
    file = io.BytesIO()
    Image.new("RGB", (6, 6)).save(file, "PNG")
    return sources.RecordSource(
      3, True, _CLASSES, lambda position: (file.getvalue(), labels[position])
    )
  # It has nothing to read: the labels are known before.
  return sources.EncodedSource(
    3, labels, _CLASSES, None, str, np.zeros(3, bool)
  )


def _set(monkeypatch, **changes):
  """A benchmark set of 24 and 6 pictures, by the name of "zoo"."""
  zoo = benchmark_sets.SETS["pets"]._replace(
    sizes=(18, 6, 6),
    hold_out_images=2,
    **{"tfds_name": "", "num_classes": 3, **changes},
  )
  monkeypatch.setitem(benchmark_sets.SETS, "zoo", zoo)


def test_set_in_a_folder_follows_its_own_rule(tmp_path, monkeypatch, caplog):
  _write(tmp_path / "zoo" / "train", (8, 8, 8))
  _write(tmp_path / "zoo" / "test", (4, 0, 2))
  _set(monkeypatch)
  data = data_section(source="set", sets_root=str(tmp_path), hold_out="last")
  parts = labelled.open_parts(data, "zoo", seed=0)
  assert _sizes(parts) == (18, 6, 6)
  np.testing.assert_array_equal(np.bincount(parts.valid.labels), [2, 2, 2])
  assert parts.metric == "mean_per_class"
  assert not caplog.records
  assert data.hold_out == "last"


def test_set_with_a_valid_folder_uses_it(tmp_path, monkeypatch, caplog):
  for part, counts in (("train", (3, 3, 3)), ("valid", (1, 1, 0))):
    _write(tmp_path / "zoo" / part, counts)
  _write(tmp_path / "zoo" / "test", (4, 0, 2))
  _set(monkeypatch)
  data = data_section(source="set", sets_root=str(tmp_path))
  with caplog.at_level(logging.WARNING):
    parts = labelled.open_parts(data, "zoo", seed=0)
  assert _sizes(parts) == (9, 2, 6)
  assert "zoo has 9 train, 2 valid and 6 test images here" in caplog.text
  assert "has 18, 6 and 6" in caplog.text


def test_set_for_a_protocol_without_choice_holds_nothing_out(
  tmp_path, monkeypatch, caplog
):
  for part, counts in (("train", (3, 3, 3)), ("valid", (1, 1, 0))):
    _write(tmp_path / "zoo" / part, counts)
  _write(tmp_path / "zoo" / "test", (4, 0, 2))
  _set(monkeypatch)
  data = data_section(source="set", sets_root=str(tmp_path), hold_out="none")
  parts = labelled.open_parts(data, "zoo", seed=0)
  assert parts.valid is None
  assert sources.size(parts.train) == 9
  assert not caplog.records


@pytest.mark.parametrize(
  ("name", "parts"),
  [("birdsnap", "train,test"), ("aircraft", "train,valid,test")],
)
def test_set_without_builder_or_folder_is_named(tmp_path, name, parts):
  data = data_section(source="set", sets_root=str(tmp_path))
  message = f"have {name}.*{name}/\\{{{parts}\\}}/<class>"
  with pytest.raises(ValueError, match=message):
    labelled.open_parts(data, name, seed=0)


def test_set_with_other_classes_is_named(tmp_path, monkeypatch, caplog):
  for part in ("train", "test"):
    _write(tmp_path / "zoo" / part, (2, 2, 2))
  _set(monkeypatch, num_classes=4)
  data = data_section(source="set", sets_root=str(tmp_path), hold_out="none")
  labelled.open_parts(data, "zoo", seed=0)
  (record,) = caplog.records
  assert record.getMessage() == "zoo has 3 classes here; the paper's has 4."


def test_unknown_set_is_named():
  with pytest.raises(ValueError, match=r"'imagenet'.*food101, .*flowers"):
    labelled.open_parts(data_section(source="set"), "imagenet", seed=0)


def test_voc_in_a_folder_is_refused(tmp_path):
  (tmp_path / "voc2007").mkdir()
  data = data_section(source="set", sets_root=str(tmp_path))
  with pytest.raises(ValueError, match="several classes"):
    labelled.open_parts(data, "voc2007", seed=0)
