"""Colours of masks and depth, and the drawing of boxes."""

import numpy as np
from PIL import Image

from byol_jax.dense import box_overlays, detected, overlays
from byol_jax.depth import colours
from byol_jax.detection import objects


def test_each_of_256_classes_has_a_colour_of_its_own():
  found = overlays.palette(256)
  assert found.shape == (256, 3)
  assert len(np.unique(found.round(3), axis=0)) == 256
  assert found.min() >= 0.0
  assert found.max() <= 1.0


def test_the_21st_colour_is_far_from_those_before():
  *first, last = overlays.palette(21)
  assert np.linalg.norm(np.array(first) - last, axis=1).min() > 0.3


def test_a_legend_looks_as_a_mask_on_grey_and_names_void():
  image = np.full((1, 3, 3), 127.5)
  masks = np.array([[1, 1, 255]]), np.array([[0, 1, 1]])
  found = overlays.legend(masks, ("sky", "road", "car"))
  names, shown = zip(*found, strict=True)
  assert names == ("sky", "road", "void")
  seen = overlays.painted(image, masks[0], 3)
  np.testing.assert_allclose(seen[0, 1:], shown[1:])
  assert np.ptp(shown[2]) < 1e-6


def test_a_legend_without_void_does_not_name_it():
  found = overlays.legend([np.array([[1, 1]])], ("sky", "road"))
  assert [name for name, _ in found] == ["road"]


def test_what_is_far_is_not_the_black_of_the_unknown():
  truth = np.array([[0.0, 1.0, 5.0]])
  unknown, near, far = colours.painted(truth, truth)[0][0]
  assert unknown.sum() == 0.0
  assert far.sum() > 0.3
  assert near.sum() > far.sum() + 1.0


def _boxes(tmp_path, side, scores):
  """A sheet of a grey picture with one object, read again."""
  box = np.array([[side // 4, side // 4, side // 2, side // 2]], float)
  seen = detected.Picture(
    index=0,
    size=(side, side),
    truth=objects.Objects(box, np.zeros(1, int), np.zeros(1, bool)),
    found=objects.Found(box, np.zeros(1, int), np.array(scores)),
  )
  path = tmp_path / f"{side}_{scores[0]}.png"
  image = np.full((side, side, 3), 90, np.uint8)
  box_overlays.write(image, seen, ("cat",), str(path))
  return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_lines_are_thicker_in_a_large_picture(tmp_path):
  def thickness(side):
    shown = _boxes(tmp_path, side, [0.9])
    row = shown[-side + side * 7 // 16, : shown.shape[1] // 3 * 2]
    # Two edges of the truth's box.
    return np.count_nonzero(np.ptp(row, axis=1) > 50) // 2

  assert (thickness(100), thickness(600)) == (1, 3)


def test_a_sheet_says_that_nothing_is_detected(tmp_path):
  sure, unsure = (_boxes(tmp_path, 300, [x]) for x in (0.31, 0.29))
  third = sure.shape[1] * 2 // 3 + 10
  titles = sure[:-300], unsure[:-300]
  assert (titles[0][:, :third] == titles[1][:, :third]).all()
  dark = [np.count_nonzero(x[:, third:] < 128) for x in titles]
  assert dark[1] > 1.05 * dark[0] > 0
  assert np.ptp(unsure[-300:, third:], axis=2).max() == 0
