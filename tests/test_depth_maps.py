"""Depth maps from files, and what the network sees of a picture."""

import io

import numpy as np
import pytest
from PIL import Image

from byol_jax.data import annotated, depth_maps


def _png(values, mode=None):
  file = io.BytesIO()
  image = Image.fromarray(values)
  (image.convert(mode) if mode else image).save(file, "PNG")
  return file.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_decode_counts_in_metres(dtype):
  stored = np.array([[0, 1, 200]], dtype)
  depth = depth_maps.decode(_png(stored), 0.01)
  assert depth.dtype == np.float32
  np.testing.assert_allclose(depth, [[0.0, 0.01, 2.0]], rtol=1e-6)


def test_decode_keeps_all_sixteen_bits():
  stored = np.array([[1, 256, 65535]], np.uint16)
  depth = depth_maps.decode(_png(stored), 1.0)
  np.testing.assert_array_equal(depth, [[1.0, 256.0, 65535.0]])


def test_decode_without_a_scale_gives_shares_of_the_largest_depth():
  stored = np.array([[0, 50, 200]], np.uint8)
  depth = depth_maps.decode(_png(stored), 0.0)
  np.testing.assert_allclose(depth, [[0.0, 0.25, 1.0]])


def test_decode_of_a_map_without_anything_known_stays_unknown():
  depth = depth_maps.decode(_png(np.zeros((1, 2), np.uint8)), 0.0)
  np.testing.assert_array_equal(depth, 0.0)


def test_decode_refuses_colours():
  picture = _png(np.zeros((1, 2, 3), np.uint8))
  with pytest.raises(ValueError, match="a depth map of mode RGB, where grey"):
    depth_maps.decode(picture, 1.0)


def _source(count):
  return annotated.AnnotatedSource(
    count, (), lambda position: position, lambda position: f"{position}"
  )


def test_last_share_parts_by_order():
  first, last = depth_maps.last_share(_source(10), 0.3)
  assert [first.read(i) for i in range(first.num_images)] == list(range(7))
  assert [last.read(i) for i in range(last.num_images)] == [7, 8, 9]


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_last_share_leaves_no_part_empty(share):
  with pytest.raises(ValueError, match="leaves one part without pictures"):
    depth_maps.last_share(_source(3), share)


def test_window_is_the_papers_for_its_pictures():
  # Halved, 640x480 is 320x240; the centre of that is 304x228.
  box = depth_maps.window((480, 640), (240, 320), (228, 304))
  assert box == (16.0, 12.0, 624.0, 468.0)


@pytest.mark.parametrize("size", [(480, 800), (600, 640)])
def test_window_does_not_distort_other_pictures(size):
  left, top, right, bottom = depth_maps.window(size, (240, 320), (228, 304))
  assert (right - left) / (bottom - top) == pytest.approx(304 / 228)
  assert (left + right, top + bottom) == pytest.approx(size[::-1])
  assert bottom - top == pytest.approx(0.95 * 480)


@pytest.mark.parametrize(
  ("place", "expected"),
  [
    ((0.0, 0.0), (4.0, 2.0, 12.0, 6.0)),
    ((1.0, 0.5), (8.0, 6.0, 16.0, 10.0)),
  ],
)
def test_zoomed_is_a_smaller_window_within(place, expected):
  assert depth_maps.zoomed((4.0, 2.0, 20.0, 10.0), 2.0, place) == expected


def test_seen_is_the_halved_pictures_centre():
  image = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
  box = depth_maps.window((16, 24), (8, 12), (4, 6))
  found = depth_maps.seen(image, box, (4, 6))
  halved = Image.fromarray(image).resize((12, 8), Image.Resampling.BILINEAR)
  expected = np.asarray(halved)[2:6, 3:9]
  # Inside; the window's edge does not see what lies beyond it.
  np.testing.assert_array_equal(found[1:-1, 1:-1], expected[1:-1, 1:-1])


def test_sampled_takes_pixels_of_the_window_unmixed():
  depth = np.arange(1, 33, dtype=np.float32).reshape(4, 8)
  found = depth_maps.sampled(depth, (2.0, 1.0, 6.0, 3.0), (2, 2))
  # Rows 1 and 2; columns around 3 and 5.
  np.testing.assert_array_equal(found, [[12, 14], [20, 22]])


def test_sampled_and_seen_and_truth_show_the_same_place():
  values = np.random.default_rng(0).integers(1, 256, (12, 16), np.uint8)
  box = depth_maps.window((12, 16), (12, 16), (6, 8))
  image = np.repeat(values[:, :, None], 3, axis=2)
  found = depth_maps.sampled(values.astype(np.float32), box, (6, 8))
  np.testing.assert_array_equal(
    depth_maps.seen(image, box, (6, 8))[..., 0], found
  )
  np.testing.assert_array_equal(depth_maps.truth(values, box), found)


def test_truth_has_whole_pixels_of_the_window():
  depth = np.arange(20.0).reshape(4, 5)
  found = depth_maps.truth(depth, (0.5, 1.0, 4.5, 3.0))
  np.testing.assert_array_equal(found, depth[1:3, 1:5])


def test_resized_is_bilinear_between_the_pixels_centres():
  found = depth_maps.resized(np.array([[0.0, 4.0]]), (1, 4))
  np.testing.assert_allclose(found, [[0.0, 1.0, 3.0, 4.0]])
