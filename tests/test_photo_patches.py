"""The embedded patches."""

import importlib.util
import os

import numpy as np
import pytest
from PIL import Image

from byol_jax.data import photo_patches


def test_load_balances_ten_classes():
  source = photo_patches.load("train")
  assert len(source.class_names) == 10
  counts = np.bincount(source.labels, minlength=10)
  assert counts.min() == counts.max() == len(source.images) // 10 > 100
  assert source.images.shape[1:] == (32, 32, 3)
  assert source.images.dtype == np.uint8
  assert source.labels.dtype == np.int32
  # Colour pictures: the channels differ.
  assert np.any(source.images[..., 0] != source.images[..., 2])


def test_load_is_the_same_at_each_call():
  first, second = photo_patches.load("test"), photo_patches.load("test")
  np.testing.assert_array_equal(first.images, second.images)


@pytest.mark.parametrize(("split", "left"), [("train", 0), ("test", 384)])
def test_first_and_last_patch_stay_in_their_part(split, left):
  # The astronaut has 512x512 pixels: columns 0 to 383 are for training.
  folder = importlib.util.find_spec("skimage").submodule_search_locations[0]
  with Image.open(os.path.join(folder, "data/astronaut.png")) as picture:
    photograph = np.asarray(picture)
  source = photo_patches.load(split)
  np.testing.assert_array_equal(
    source.images[0], photograph[:32, left : left + 32]
  )


@pytest.mark.parametrize("stride_px", [8, 16, 20])
def test_splits_share_no_pixel(monkeypatch, stride_px):
  # Photographs whose pixels hold the number of their own column.

  def columns(package, path):
    row = np.arange(200, dtype=np.uint8)[None, :, None]
    return np.broadcast_to(row, (90, 200, 3))

  monkeypatch.setattr(photo_patches, "_read", columns)
  train = photo_patches.load("train", stride_px=stride_px).images
  test = photo_patches.load("test", stride_px=stride_px).images
  assert train.max() < 150 <= test.min()
  assert train.min() == 0


def test_larger_photographs_are_covered_evenly(monkeypatch):
  heights = iter([64] + [64 * 4] * 9)

  def rows(package, path):
    column = np.arange(next(heights), dtype=np.uint8)[:, None, None]
    return np.broadcast_to(column, (len(column), 64, 3))

  monkeypatch.setattr(photo_patches, "_read", rows)
  images = photo_patches.load("train", stride_px=32).images
  tops = images[:, 0, 0, 0].reshape(10, -1)
  np.testing.assert_array_equal(tops[0], [0, 32])
  np.testing.assert_array_equal(tops[1], [0, 128])


def test_load_names_the_splits():
  with pytest.raises(ValueError, match=r"'valid'.*train.*test"):
    photo_patches.load("valid")


def test_load_names_what_is_not_installed(monkeypatch):
  monkeypatch.setattr(
    photo_patches, "PHOTOGRAPHS", (("no_such_package", "data/sea.png"),)
  )
  with pytest.raises(ValueError, match=r"data/sea.png .*'no_such_package'"):
    photo_patches.load("train")
