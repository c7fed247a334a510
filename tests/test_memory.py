"""Batches of a pool in memory."""

import io
import itertools
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from byol_jax.data import memory, sources

_NUM_IMAGES = 30


def _reader(host=0, num_hosts=1, seed=0):
  return sources.Reader(seed, 12, host, num_hosts)


def _source(labelled=True):
  images = np.random.default_rng(0).integers(
    0, 256, (_NUM_IMAGES, 8, 8, 3), np.uint8
  )
  labels = np.arange(_NUM_IMAGES * labelled, dtype=np.int32) % 3
  return sources.ArraySource(images, labels, ("a", "b", "c"))


def _indices(reader, start_step, count):
  batches = memory.train_batches(_source(), None, reader, start_step)
  return [batch["index"] for batch in itertools.islice(batches, count)]


def test_train_batches_never_repeat_within_an_epoch():
  first, second, third, fourth = _indices(_reader(), 0, 4)
  assert len(np.union1d(first, second)) == len(np.union1d(third, fourth)) == 24
  assert first.dtype == np.int32
  assert not np.array_equal(first, third)


@pytest.mark.parametrize("step", [1, 2, 5])
def test_train_batches_resume_at_any_step(step):
  whole = _indices(_reader(), 0, 8)
  np.testing.assert_array_equal(
    _indices(_reader(), step, 8 - step), whole[step:]
  )


@pytest.mark.parametrize("num_hosts", [2, 3, 4])
def test_train_batches_hold_the_same_pictures_for_any_hosts(num_hosts):
  parts = [_indices(_reader(h, num_hosts), 0, 3) for h in range(num_hosts)]
  for whole, *part in zip(_indices(_reader(), 0, 3), *parts, strict=True):
    np.testing.assert_array_equal(np.sort(whole), np.sort(np.concatenate(part)))


def test_train_batches_depend_on_the_seed():
  first, other = _indices(_reader(), 0, 1), _indices(_reader(seed=1), 0, 1)
  assert not np.array_equal(first, other)


@pytest.mark.parametrize("num_hosts", [1, 2])
def test_eval_batches_show_each_picture_once(num_hosts):
  source, seen = _source(), []
  for host in range(num_hosts):
    for batch in memory.eval_batches(source, 8, _reader(host, num_hosts)):
      assert len(batch["index"]) == 12 // num_hosts
      np.testing.assert_array_equal(
        batch["images"], source.images[batch["index"]]
      )
      np.testing.assert_array_equal(
        batch["labels"], source.labels[batch["index"]]
      )
      seen.extend(batch["index"][batch["mask"]])
  np.testing.assert_array_equal(np.sort(seen), np.arange(_NUM_IMAGES))


def test_eval_batches_resize_and_leave_out_missing_labels():
  batch = next(memory.eval_batches(_source(labelled=False), 4, _reader()))
  assert "labels" not in batch
  assert batch["images"].shape == (12, 4, 4, 3)


def test_a_share_is_cut_even_when_the_size_fits():
  images = np.zeros((12, 8, 8, 3), np.uint8)
  images[:, 2:6, 2:6] = 200
  source = sources.ArraySource(images, np.zeros(0, np.int32), ())
  geometry = sources.Geometry("crop_then_resize", 0.5)
  (batch,) = memory.eval_batches(source, 8, _reader(), geometry)
  np.testing.assert_array_equal(batch["images"], 200)


def test_pool_has_labels_only_where_there_are_any():
  assert set(memory.pool(_source())) == {"pool_images", "pool_labels"}
  assert set(memory.pool(_source(labelled=False))) == {"pool_images"}


def _png(image):
  file = io.BytesIO()
  Image.fromarray(image).save(file, "PNG")
  return file.getvalue()


def _encoded(images):
  return sources.EncodedSource(
    num_images=len(images),
    labels=np.zeros(0, np.int32),
    class_names=(),
    read=lambda position: _png(images[position]),
    name=lambda position: f"picture {position}",
    is_plain_jpeg=np.zeros(len(images), bool),
  )


def test_decode_all_keeps_pixels_and_order():
  images = _source().images
  decoded = memory.decode_all(_encoded(images))
  np.testing.assert_array_equal(decoded.images, images)


def test_decode_all_crops_the_centre_of_pictures_of_any_size():
  wide, tall = np.zeros((8, 12, 3), np.uint8), np.zeros((20, 16, 3), np.uint8)
  wide[:, 2:10] = 200
  tall[2:18] = 100
  decoded = memory.decode_all(_encoded([wide, tall]), 8).images
  assert decoded.shape == (2, 8, 8, 3)
  np.testing.assert_array_equal(decoded[0], 200)
  np.testing.assert_array_equal(decoded[1], 100)


def test_decode_all_names_a_picture_of_another_size():
  images = [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)]
  with pytest.raises(
    ValueError, match=r"picture 1 has 9x8 .* picture 0 has 8x8"
  ):
    memory.decode_all(_encoded(images))


def test_memory_path_needs_no_tensorflow():
  program = (
    "import sys; from byol_jax.data import folder, memory, photo_patches;"
    " sys.exit('tensorflow' in sys.modules)"
  )
  assert subprocess.run([sys.executable, "-c", program]).returncode == 0
