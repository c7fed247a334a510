"""Boxes in the layout of PASCAL VOC."""

import numpy as np
import pytest
from PIL import Image

from byol_jax.data import pairing, voc


def _object(name, corners, difficult):
  ends = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
  box = "".join(f"<{key}>{value}</{key}>" for key, value in ends)
  part = "<part><name>head</name><bndbox/></part>"
  return (
    f"<object><name>{name}</name><difficult>{difficult}</difficult>"
    f"<bndbox>{box}</bndbox>{part}</object>"
  )


def _voc_folder(root, objects_of):
  for folder in ("JPEGImages", "Annotations"):
    (root / folder).mkdir()
  for name, found in objects_of.items():
    picture = Image.new("RGB", (40, 20), (10, 20, 30))
    picture.save(root / f"JPEGImages/{name}.jpg")
    path = root / f"Annotations/{name}.xml"
    path.write_text(f"<annotation>{''.join(found)}</annotation>")
  lists = root / "ImageSets/Main"
  lists.mkdir(parents=True)
  (lists / "test.txt").write_text("2  1\n")
  return pairing.Place(str(root), "", "JPEGImages", "Annotations", "")


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
  with pytest.raises(ValueError, match=r"'2' of the list .* not in 'Annot"):
    voc.open_voc(place)
  with pytest.raises(ValueError, match=r"the list '.*' cannot"):
    voc.open_voc(voc_place._replace(list_path="none.txt"))
