"""Boxes in the layout of YOLO."""

import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from byol_jax.data import pairing, yolo


def _yolo_folder(root, lines, names=None):
  """Pictures a, b and c of 40x20; only a has boxes."""
  for name in "abc":
    path = root / f"images/{name}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 20), (10, 20, 30)).save(path)
  (root / "boxes").mkdir(exist_ok=True)
  (root / "boxes/a.txt").write_text("\n".join(lines))
  listed = {"0": "cat", "2": "dog"} if names is None else names
  (root / "box_classes.json").write_text(json.dumps(listed))
  return pairing.Place(str(root), "", "images", "boxes", "")


def test_yolo_fractions_become_pixels(tmp_path):
  lines = ["2 0.5 0.5 0.25 0.5", "", "0 0.125 0.25 0.25 0.5"]
  source = yolo.open_yolo(_yolo_folder(tmp_path, lines))
  image, found = source.read(0)
  assert (source.num_images, image.shape) == (3, (20, 40, 3))
  np.testing.assert_allclose(found.boxes, [[5, 15, 15, 25], [0, 0, 10, 10]])
  assert [source.class_names[i] for i in found.classes] == ["dog", "cat"]
  assert not found.difficult.any()


def test_yolo_pictures_without_a_file_have_no_boxes(tmp_path):
  source = yolo.open_yolo(_yolo_folder(tmp_path, ["0 0.5 0.5 0.1 0.1"]))
  assert [len(source.read(i)[1].boxes) for i in range(3)] == [1, 0, 0]


def test_files_and_pictures_that_find_nothing_are_counted(tmp_path, caplog):
  place = _yolo_folder(tmp_path, ["0 0.5 0.5 0.1 0.1"])
  for name in ("b.jpg.txt", "c.jpg.txt", "d.txt"):
    (tmp_path / "boxes" / name).write_text("0 0.5 0.5 0.1 0.1")
  yolo.open_yolo(place)
  assert [record.getMessage() for record in caplog.records] == [
    f"2 of 3 pictures of {tmp_path} have no file in boxes, where 3 files have"
    " no picture."
  ]


def test_pictures_that_all_have_a_file_are_no_warning(tmp_path, caplog):
  place = _yolo_folder(tmp_path, [])
  for name in "bc":
    (tmp_path / f"boxes/{name}.txt").touch()
  yolo.open_yolo(place)
  assert not caplog.records


def test_boxes_of_other_names_only_are_refused(tmp_path):
  place = _yolo_folder(tmp_path, ["0 0.5 0.5 0.1 0.1"])
  (tmp_path / "boxes/a.txt").rename(tmp_path / "boxes/a.jpg.txt")
  with pytest.raises(ValueError, match=r"no picture of 'images' in .* has a"):
    yolo.open_yolo(place)


def test_yolo_reads_a_tar_below_a_prefix(tmp_path):
  place = _yolo_folder(tmp_path / "set", ["0 0.5 0.5 0.5 0.5"])
  with tarfile.open(tmp_path / "set.tar", "w") as tar:
    tar.add(tmp_path / "set", "outer/set")
  packed = place._replace(path=str(tmp_path / "set.tar"), prefix="outer/set")
  _, found = yolo.open_yolo(packed).read(0)
  np.testing.assert_allclose(found.boxes, [[5, 10, 15, 30]])


def test_boxes_that_rounding_pushed_out_are_cut(tmp_path):
  source = yolo.open_yolo(_yolo_folder(tmp_path, ["0 0.51 0.5 1.0 1.0"]))
  np.testing.assert_allclose(source.read(0)[1].boxes, [[0, 0.4, 20, 40]])


@pytest.mark.parametrize(
  ("line", "sentence"),
  [
    ("0 0.5 0.5 0.1", "a.txt: '0 0.5 0.5 0.1' is not five numbers"),
    ("0 0.5 0.5 nan 0.1", "is not five numbers"),
    ("cat 0.5 0.5 0.1 0.1", "is not five numbers"),
    ("3 0.5 0.5 0.1 0.1", "of the class 3, and the named classes are 0 to 2"),
    ("0.5 0.5 0.5 0.1 0.1", "of the class 0.5"),
  ],
)
def test_a_line_that_is_no_box_is_named(tmp_path, line, sentence):
  with pytest.raises(ValueError, match=sentence):
    yolo.open_yolo(_yolo_folder(tmp_path, [line]))


@pytest.mark.parametrize(
  ("line", "sentence"),
  [
    ("0 0.9 0.5 0.5 0.5", "a.jpg has 40x20 pixels, and a box reaches out"),
    ("0 0.5 0.5 0 0.5", "a box has no inside: .* 5.0, 20.0, 15.0, 20.0"),
  ],
)
def test_a_box_that_cannot_be_is_named(tmp_path, line, sentence):
  source = yolo.open_yolo(_yolo_folder(tmp_path, [line]))
  with pytest.raises(ValueError, match=sentence):
    source.read(0)


def test_missing_names_and_folders_are_named(tmp_path):
  place = _yolo_folder(tmp_path, [], names={"one": 1})
  with pytest.raises(ValueError, match="does not name classes"):
    yolo.open_yolo(place)
  (tmp_path / "box_classes.json").unlink()
  with pytest.raises(ValueError, match="no names of the classes"):
    yolo.open_yolo(place)
  with pytest.raises(ValueError, match=r"no \.txt files are below 'labels'"):
    yolo.open_yolo(place._replace(targets_folder="labels"))
