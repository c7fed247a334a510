"""Pictures with boxes in the layouts of YOLO, PASCAL VOC and TFDS."""

import io
import json
import tarfile

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from test_tfds_source import Words, prepare

from byol_jax.data import annotated, tfds_boxes, voc, yolo
from byol_jax.dense import scaling
from byol_jax.detection import objects

_YOLO = ("", "images", "boxes", "")
_VOC = ("", "JPEGImages", "Annotations", "")


def _write_picture(path, size=(40, 20)):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.new("RGB", size, (10, 20, 30)).save(path)


def _yolo_folder(root, lines, names=None):
  """Pictures a, b and c of 40x20; only a has boxes."""
  for name in "abc":
    _write_picture(root / f"images/{name}.jpg")
  (root / "boxes").mkdir(exist_ok=True)
  (root / "boxes/a.txt").write_text("\n".join(lines))
  listed = {"0": "cat", "2": "dog"} if names is None else names
  (root / "box_classes.json").write_text(json.dumps(listed))
  return annotated.Place(str(root), *_YOLO)


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
  with pytest.raises(ValueError, match=r"no \.txt files are below 'labels/'"):
    yolo.open_yolo(place._replace(targets_folder="labels"))


def _object(name, corners, difficult):
  ends = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
  box = "".join(f"<{key}>{value}</{key}>" for key, value in ends)
  part = "<part><name>head</name><bndbox/></part>"
  return (
    f"<object><name>{name}</name><difficult>{difficult}</difficult>"
    f"<bndbox>{box}</bndbox>{part}</object>"
  )


def _voc_folder(root, objects_of):
  for name, found in objects_of.items():
    _write_picture(root / f"JPEGImages/{name}.jpg")
    path = root / f"Annotations/{name}.xml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"<annotation>{''.join(found)}</annotation>")
  lists = root / "ImageSets/Main"
  lists.mkdir(parents=True)
  (lists / "test.txt").write_text("2  1\n")
  return annotated.Place(str(root), *_VOC)


@pytest.fixture
def voc_place(tmp_path):
  one = [_object("dog", (1, 1, 40, 20), 0), _object("cat", (11, 5, 12, 6), 1)]
  return _voc_folder(
    tmp_path, {"1": one, "2": [_object("cat", (2, 2, 3, 4), 0)]}
  )


def test_voc_corners_count_from_one_and_lie_inside(voc_place):
  source = voc.open_voc(voc_place)
  _, found = source.read(0)
  np.testing.assert_allclose(found.boxes, [[0, 0, 20, 40], [4, 10, 6, 12]])
  assert source.class_names == ("cat", "dog")
  np.testing.assert_array_equal(found.classes, [1, 0])
  np.testing.assert_array_equal(found.difficult, [False, True])


def test_voc_lists_lie_below_the_prefix_or_on_the_disk(voc_place, tmp_path):
  inside = voc_place._replace(list_path="ImageSets/Main/test.txt")
  outside = tmp_path / "mine.txt"
  outside.write_text("1\n2\n")
  names = [
    voc.open_voc(place, ("cat", "dog")).name(0)
    for place in (inside, voc_place._replace(list_path=str(outside)))
  ]
  assert names == ["JPEGImages/2.jpg", "JPEGImages/1.jpg"]


def test_classes_of_another_part_fix_the_numbers(voc_place):
  _, found = voc.open_voc(voc_place, ("ant", "cat", "dog")).read(0)
  np.testing.assert_array_equal(found.classes, [2, 1])
  with pytest.raises(ValueError, match="the class 'cat', which the training"):
    voc.open_voc(voc_place, ("dog",))


@pytest.mark.parametrize(
  ("text", "sentence"),
  [
    ("<annotation>", "Annotations/1.xml is no annotation of PASCAL VOC"),
    ("<annotation><object/></annotation>", "an object lacks"),
    (
      f"<annotation>{_object('cat', ('a', 1, 2, 2), 0)}</annotation>",
      "could not convert string to float",
    ),
  ],
)
def test_a_file_that_is_no_annotation_is_named(
  voc_place, tmp_path, text, sentence
):
  (tmp_path / "Annotations/1.xml").write_text(text)
  with pytest.raises(ValueError, match=sentence):
    voc.open_voc(voc_place)


def test_what_a_list_names_has_to_be_there(voc_place, tmp_path):
  (tmp_path / "Annotations/2.xml").unlink()
  place = voc_place._replace(list_path="ImageSets/Main/test.txt")
  with pytest.raises(ValueError, match="'2' has no file in"):
    voc.open_voc(place)
  with pytest.raises(ValueError, match=r"the list '.*' cannot"):
    voc.open_voc(voc_place._replace(list_path="none.txt"))


def _scenes(mark, boxes):
  """Examples of TFDS, of 40x20: none, and some boxes, the second one marked."""
  for number, there in enumerate(([], boxes)):
    file = io.BytesIO()
    Image.new("RGB", (40, 20)).save(file, "JPEG")
    file.seek(0)
    found = [
      {
        "label": i % 2,
        "bbox": tfds.features.BBox(*map(float, box)),
        mark: i == 1,
      }
      for i, box in enumerate(there)
    ]
    yield number, {"image": file, "objects": found}


def _described(builder, mark):
  inner = {
    "label": tfds.features.ClassLabel(names=["cat", "dog"]),
    "bbox": tfds.features.BBoxFeature(),
    mark: np.bool_,
  }
  features = {
    "image": tfds.features.Image(),
    "objects": tfds.features.Sequence(inner),
  }
  return tfds.core.DatasetInfo(
    builder=builder, features=tfds.features.FeaturesDict(features)
  )


class Voc(tfds.core.GeneratorBasedBuilder):
  """Corners from 1, both inside, over the sides: all, and 4 to 6, 10 to 12."""

  VERSION = tfds.core.Version("1.0.0")

  def _info(self):
    return _described(self, "is_difficult")

  def _split_generators(self, manager):
    return {"train": self._generate_examples()}

  def _generate_examples(self):
    whole, small = (1 / 20, 1 / 40, 1, 1), (5 / 20, 11 / 40, 6 / 20, 12 / 40)
    return _scenes("is_difficult", [whole, small])


class Coco(tfds.core.GeneratorBasedBuilder):
  """Edges over the sides: all, 4 to 6 by 10 to 12, and one without inside."""

  VERSION = tfds.core.Version("1.0.0")

  def _info(self):
    return _described(self, "is_crowd")

  def _split_generators(self, manager):
    return {"train": self._generate_examples()}

  def _generate_examples(self):
    small = (4 / 20, 10 / 40, 6 / 20, 12 / 40)
    return _scenes("is_crowd", [(0, 0, 1, 1), small, (0.5, 0.5, 0.5, 0.7)])


@pytest.mark.parametrize(
  ("builder", "file_format"), [(Voc, "array_record"), (Coco, "tfrecord")]
)
def test_tfds_objects_become_pixels(tmp_path, builder, file_format):
  data_dir = prepare(builder, tmp_path, file_format, num_shards=1)
  name = builder.__name__.lower()
  source = tfds_boxes.open_tfds(name, "train", data_dir)
  assert (source.num_images, source.class_names) == (2, ("cat", "dog"))
  images, found = zip(*(source.read(i) for i in range(2)), strict=True)
  assert images[0].shape == (20, 40, 3)
  (full,) = (x for x in found if len(x.boxes))
  np.testing.assert_allclose(
    full.boxes, [[0, 0, 20, 40], [4, 10, 6, 12]], atol=1e-4
  )
  np.testing.assert_array_equal(full.classes, [0, 1])
  np.testing.assert_array_equal(full.difficult, [False, True])


def test_a_tfds_set_without_boxes_is_named(tmp_path):
  prepare(Words, tmp_path, "array_record", num_shards=1)
  with pytest.raises(ValueError, match="'words' has no boxes"):
    tfds_boxes.open_tfds("words", "train", str(tmp_path))


def _marked():
  """A picture of 30x20 whose white rectangle is its only box."""
  image = np.zeros((20, 30, 3), np.uint8)
  image[4:12, 6:14] = 255
  return image, np.array([[4.0, 6.0, 12.0, 14.0]])


def _white(image):
  """The box of what is bright."""
  rows, columns = np.nonzero(image[..., 0] > 127)
  return [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]


@pytest.mark.parametrize("side", [30, 60, 90])
def test_boxes_survive_scaling(side):
  image, boxes = _marked()
  scaled, factors = scaling.scale(image, side)
  assert scaled.shape == (side * 2 // 3, side, 3)
  found = scaling.scale_boxes(boxes, factors)
  np.testing.assert_allclose(found[0], _white(scaled), atol=1e-4)


def test_boxes_survive_a_flip():
  image, boxes = _marked()
  turned, found = scaling.flip(image, boxes)
  assert _white(turned) == [4, 16, 12, 24]
  np.testing.assert_array_equal(found[0], _white(turned))
  np.testing.assert_array_equal(scaling.flip(turned, found)[1], boxes)


def test_factors_are_those_of_the_rounded_sides():
  scaled, factors = scaling.scale(np.zeros((21, 64, 3), np.uint8), 32)
  assert scaled.shape == (10, 32, 3)
  np.testing.assert_allclose(factors, [10 / 21, 0.5])


def test_padding_stands_below_and_to_the_right():
  image, _ = _marked()
  square = scaling.fill(image, 40)
  assert square.shape == (40, 40, 3)
  assert _white(square) == [4, 6, 12, 14]


def test_objects_are_padded_to_a_length():
  found = objects.Objects(
    np.array([[1.0, 2, 3, 4]]), np.array([7]), np.array([True])
  )
  padded = scaling.padded(found, 2)
  np.testing.assert_array_equal(padded["boxes"], [[1, 2, 3, 4], [0] * 4])
  np.testing.assert_array_equal(padded["present"], [True, False])
  np.testing.assert_array_equal(padded["classes"], [7, 0])
  np.testing.assert_array_equal(padded["difficult"], [True, False])
  with pytest.raises(
    ValueError, match=r"1 boxes: raise detection\.max_boxes=0"
  ):
    scaling.padded(found, 0)
