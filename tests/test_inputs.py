import functools

import numpy as np
import pytest
import tiny
from PIL import Image

from byol_jax import inputs, parallel
from byol_jax.data import sources


def _encoded(count):
  return sources.EncodedSource(
    num_images=count,
    labels=np.arange(count, dtype=np.int32) * 10,
    class_names=("a",),
    read=lambda position: bytes([position]),
    name=lambda position: f"picture {position}",
    is_plain_jpeg=np.arange(count) % 2 == 0,
  )


def _write_pictures(folder, count, size=8):
  rng = np.random.default_rng(0)
  for name in ("cat", "dog"):
    (folder / name).mkdir(parents=True)
    for number in range(count):
      pixels = rng.integers(0, 256, (size, size, 3)).astype(np.uint8)
      Image.fromarray(pixels).save(folder / name / f"{number}.png")


def _folder_config(folder, **changes):
  return tiny.config(
    data__source="folder",
    data__train_path=str(folder / "train"),
    data__test_path=str(folder / "test"),
    **changes,
  )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp("pictures")
  _write_pictures(folder / "train", 6)
  _write_pictures(folder / "test", 2)
  return folder


def test_photo_patches_are_there_without_any_path():
  data = inputs.open_inputs(tiny.config())
  assert sources.size(data.train) == tiny.NUM_IMAGES
  assert data.num_classes == len(data.train.class_names) > 1
  assert 0 < sources.size(data.test) < tiny.NUM_IMAGES
  assert data.views.image_px == 8


def test_a_folder_in_memory_is_decoded(folder):
  data = inputs.open_inputs(_folder_config(folder))
  assert data.train.images.shape == (12, 8, 8, 3)
  assert data.num_classes == 2
  assert data.test.class_names == data.train.class_names == ("cat", "dog")
  np.testing.assert_array_equal(data.test.labels, [0, 0, 1, 1])


def test_a_folder_for_the_host_stays_encoded(folder):
  data = inputs.open_inputs(_folder_config(folder, data__views="device"))
  assert isinstance(data.train, sources.EncodedSource)
  assert data.reads.__name__ == "byol_jax.data.pipeline"


@pytest.mark.parametrize("embedded", [False, True])
def test_unlabelled_data_has_no_classes(folder, embedded):
  make = tiny.config if embedded else functools.partial(_folder_config, folder)
  data = inputs.open_inputs(make(data__labelled=False))
  assert data.num_classes == 0
  for source in (data.train, data.test):
    assert not sources.is_labelled(source)


def test_without_a_test_path_there_is_no_test_split(folder):
  config = _folder_config(folder)
  config.data.test_path = ""
  assert inputs.open_inputs(config).test is None


def test_size_and_classes_agree_with_the_opened_data(folder):
  assert inputs.size_and_classes(_folder_config(folder)) == (12, 2)


def test_train_batches_carry_the_pool_and_go_on_at_any_step():
  data = inputs.open_inputs(tiny.config())
  batches = inputs.train_batches(data, 3, 84, 0)
  expected = [next(batches) for _ in range(3)][2]
  got = next(inputs.train_batches(data, 3, 84, 2))
  assert got["index"].shape == (2, 42)
  np.testing.assert_array_equal(got["index"], expected["index"])
  np.testing.assert_array_equal(
    parallel.first(got["pool_images"]), data.train.images
  )


def test_train_batches_follow_the_seed():
  data = inputs.open_inputs(tiny.config())
  one, two = (
    next(inputs.train_batches(data, seed, 84, 0))["index"] for seed in (0, 1)
  )
  assert np.any(np.asarray(one) != np.asarray(two))


def test_subset_of_an_array_is_a_fixed_choice():
  images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1).repeat(3, -1)
  source = sources.ArraySource(images, np.arange(20, dtype=np.int32), ("a",))
  part = inputs.subset(source, 5, seed=1)
  np.testing.assert_array_equal(part.images[:, 0, 0, 0], part.labels)
  assert len(set(part.labels)) == 5
  again = inputs.subset(source, 5, seed=1)
  np.testing.assert_array_equal(part.labels, again.labels)
  other = inputs.subset(source, 5, seed=2)
  assert set(part.labels) != set(other.labels)


def test_subset_of_files_keeps_what_belongs_together():
  part = inputs.subset(_encoded(9), 4, seed=0)
  assert part.num_images == 4
  for position in range(4):
    original = part.read(position)[0]
    assert part.name(position) == f"picture {original}"
    assert part.labels[position] == 10 * original
    assert part.is_plain_jpeg[position] == (original % 2 == 0)
  assert len({part.read(position) for position in range(4)}) == 4


def test_subset_of_records_reads_the_chosen():
  source = sources.RecordSource(9, True, ("a",), lambda x: (bytes([x]), x))
  part = inputs.subset(source, 4, seed=0)
  found = [part.read(position) for position in range(4)]
  assert all(encoded[0] == label for encoded, label in found)
  assert len(set(found)) == 4


def test_subset_without_labels_stays_without():
  source = _encoded(9)._replace(labels=np.zeros(0, np.int32))
  assert inputs.subset(source, 4, seed=0).labels.size == 0


@pytest.mark.parametrize("count", [9, 100])
def test_subset_of_everything_is_the_source(count):
  source = _encoded(9)
  assert inputs.subset(source, count, seed=0) is source


def test_eval_batches_take_another_geometry():
  data = inputs.open_inputs(tiny.config(data__image_px=16))
  geometry = sources.Geometry("crop_then_resize", 0.5)
  batch = next(inputs.eval_batches(data, data.test, 4, geometry))
  # 32-pixel patches: the central 16 pixels fit as they are.
  np.testing.assert_array_equal(
    batch["images"], data.test.images[:4, 8:24, 8:24]
  )


def test_a_fixed_choice_of_pictures_is_made_at_random(folder):
  data = inputs.open_inputs(_folder_config(folder, data__train_images=8))
  whole = inputs.open_inputs(_folder_config(folder))
  again = inputs.open_inputs(
    _folder_config(folder, data__train_images=8, seed=5)
  )
  assert data.train.images.shape == (8, 8, 8, 3)
  # In order, the first eight of twelve would be six cats and two dogs.
  expected = np.sort(np.random.default_rng(0).permutation(12)[:8])
  np.testing.assert_array_equal(data.train.images, whole.train.images[expected])
  np.testing.assert_array_equal(data.train.images, again.train.images)
  assert sources.size(data.test) == sources.size(whole.test)
  assert inputs.size_and_classes(
    _folder_config(folder, data__train_images=8)
  ) == (8, 2)


def test_more_pictures_than_there_are_cannot_be_chosen(folder):
  config = _folder_config(folder, data__train_images=13)
  for function in (inputs.open_inputs, inputs.size_and_classes):
    with pytest.raises(ValueError, match="13 is more than the 12 training"):
      function(config)


def test_a_stream_has_to_be_pooled_before_pictures_are_chosen(monkeypatch):
  stream = sources.StreamSource.__new__(
    sources.StreamSource, *[None] * len(sources.StreamSource._fields)
  )._replace(num_images=20, class_names=("cat",))
  monkeypatch.setattr(inputs, "_open_train", lambda data: stream)
  config = tiny.config(data__train_images=8, data__views="device")
  with pytest.raises(ValueError, match="train_images=8 cannot be picked out"):
    inputs.open_inputs(config)


def test_views_are_those_of_the_named_set():
  data = inputs.open_inputs(tiny.config(augment__set="no_color"))
  assert [view.jitter for view in data.views.policies] == [0.0, 0.0]
  assert [view.flip for view in data.views.policies] == [0.5, 0.5]


def test_hosts_with_other_pictures_are_named(monkeypatch):
  inputs.check_hosts("0123456789abcdef")
  monkeypatch.setattr(
    parallel, "everywhere", lambda value: np.array([value, value, value + 1])
  )
  with pytest.raises(ValueError, match=r"^Hosts \[2\] see other pictures"):
    inputs.check_hosts("0123456789abcdef")
