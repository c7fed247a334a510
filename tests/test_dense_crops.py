import numpy as np
import pytest

from byol_jax.dense import crops

VOID = 255


def _pair(height=7, width=9):
  """A picture whose red says the row and green the column, as its mask does."""
  rows, columns = np.mgrid[:height, :width].astype(np.uint8)
  image = np.stack([rows, columns, np.full_like(rows, 200)], axis=2)
  return image, 10 * rows + columns


def _rng(seed=0):
  return np.random.default_rng(seed)


@pytest.mark.parametrize("flip", [0.0, 1.0])
@pytest.mark.parametrize("size", [(4, 5), (12, 12), (5, 14)])
def test_a_pixel_keeps_its_class(size, flip):
  image, mask = _pair()
  for seed in range(20):
    crop = crops.random_crop(mask.shape, (1.0, 1.0), size, flip, _rng(seed))
    cut, classes = crops.apply(crop, image, mask, VOID)
    assert (cut.shape, classes.shape) == ((*size, 3), size)
    there = classes != VOID
    expected = 10 * cut[..., 0].astype(int) + cut[..., 1]
    np.testing.assert_array_equal(classes[there], expected[there])
    inside = [min(a, b) for a, b in zip(size, mask.shape, strict=True)]
    assert there.sum() == np.prod(inside)


def test_padding_is_void_and_of_the_mean_colour():
  image, mask = _pair()
  crop = crops.centre_crop(mask.shape, (11, 9))
  cut, classes = crops.apply(crop, image, mask, VOID)
  np.testing.assert_array_equal(cut[2:9], image)
  np.testing.assert_array_equal(classes[2:9], mask)
  padding = np.r_[0:2, 9:11]
  assert (classes[padding] == VOID).all()
  assert (cut[padding] == (124, 116, 104)).all()


def test_a_flip_is_a_flip_of_both():
  image, mask = _pair()
  crop = crops.Crop(mask.shape, 0, 0, mask.shape, flip=True)
  cut, classes = crops.apply(crop, image, mask, VOID)
  np.testing.assert_array_equal(cut, image[:, ::-1])
  np.testing.assert_array_equal(classes, mask[:, ::-1])


def test_scales_reach_from_the_lowest_to_the_highest():
  drawn = [
    crops.random_crop((100, 200), (0.5, 2.0), (64, 64), 0.5, _rng(seed))
    for seed in range(400)
  ]
  heights = np.array([crop.scaled[0] for crop in drawn])
  widths = np.array([crop.scaled[1] for crop in drawn])
  assert np.abs(widths - 2 * heights).max() <= 1
  assert 50 <= heights.min() < 55
  assert 195 < heights.max() <= 200
  assert 110 < heights.mean() < 140
  assert 0.4 < np.mean([crop.flip for crop in drawn]) < 0.6


def test_every_place_of_a_crop_is_drawn():
  drawn = [
    crops.random_crop((7, 9), (1.0, 1.0), (4, 12), 0.0, _rng(seed))
    for seed in range(200)
  ]
  assert {crop.top for crop in drawn} == {0, 1, 2, 3}
  assert {crop.left for crop in drawn} == {-3, -2, -1, 0}


def test_a_resized_mask_has_no_new_classes():
  mask = np.zeros((8, 8), np.uint8)
  mask[:, 4:] = 9
  image = np.repeat(mask[:, :, None] * 20, 3, axis=2)
  crop = crops.Crop((16, 16), 0, 0, (16, 16), flip=False)
  cut, classes = crops.apply(crop, image, mask, VOID)
  assert set(np.unique(classes)) == {0, 9}
  assert len(np.unique(cut)) > 2  # The picture is smooth.
  # The border stays where the picture's is.
  np.testing.assert_array_equal(classes == 9, cut[..., 0] > 90)
