"""Pictures and what belongs to them, by name, in lists and as a digest."""

import tarfile

import numpy as np
import pytest
from PIL import Image

from byol_jax.data import annotated, folder, identity, pairing, voc, yolo

NAMES = ("a/q1.jpg", "images/q1.jpg", "p.0.png", "p.png", "q1.JPG")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  """Files whose contents do not matter: nothing here decodes them."""
  root = tmp_path_factory.mktemp("pairs")
  for name in NAMES:
    for kind in ("images", "masks"):
      path = root / kind / name
      path.parent.mkdir(parents=True, exist_ok=True)
      path.with_suffix(path.suffix if kind == "images" else ".png").touch()
  return root


def _listed(root, tmp_path, text, path=None):
  (tmp_path / "list.txt").write_text(text)
  listed = str(tmp_path / "list.txt")
  place = pairing.Place(str(path or root), "", "images", "masks", listed)
  return pairing.open_pairs(place, folder.EXTENSIONS).names


@pytest.mark.parametrize(
  ("word", "image", "target"),
  [
    ("p.0", "p.0.png", "p.0.png"),
    ("p.0.png", "p.0.png", "p.0.png"),
    ("p", "p.png", "p.png"),
    ("a/q1", "a/q1.jpg", "a/q1.png"),
    ("./images/a/q1.jpg", "a/q1.jpg", "a/q1.png"),
    ("/data/mine/images/a/q1.png", "a/q1.jpg", "a/q1.png"),
    ("/images/set/images/a/q1", "a/q1.jpg", "a/q1.png"),
    ("images/images/q1.jpg", "images/q1.jpg", "images/q1.png"),
    ("q1.jpg 1", "q1.JPG", "q1.png"),
  ],
)
def test_a_list_names_pictures_in_any_way(root, tmp_path, word, image, target):
  found = _listed(root, tmp_path, f"{word}\n")
  assert found == ((f"images/{image}", f"masks/{target}"),)


@pytest.mark.parametrize("word", ["b/q1", "p.1", "masks/q1.png"])
def test_a_list_never_means_a_picture_of_another_folder(root, tmp_path, word):
  with pytest.raises(ValueError, match=f"'{word}' of the list .* 'images'"):
    _listed(root, tmp_path, word)


def test_a_list_may_lie_beside_the_folders_of_a_tar(root, tmp_path):
  (tmp_path / "val.txt").write_text("p.0\n")
  with tarfile.open(tmp_path / "set.tar", "w") as tar:
    tar.add(root, "set")
    tar.add(tmp_path / "val.txt", "set/lists/val.txt")
  place = pairing.Place(
    str(tmp_path / "set.tar"), "set", "images", "masks", "lists/val.txt"
  )
  found = pairing.open_pairs(place, folder.EXTENSIONS).names
  assert found == (("set/images/p.0.png", "set/masks/p.0.png"),)


@pytest.mark.parametrize(("needed", "count"), [(True, 1), (False, 2)])
def test_pictures_without_a_target_are_left_out_if_it_is_needed(
  tmp_path, caplog, needed, count
):
  for name in ("images/a.png", "images/b.png", "boxes/b.txt"):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
  place = pairing.Place(str(tmp_path), "", "images", "boxes", "")
  pairs = pairing.open_pairs(place, (".txt",), needed)
  assert len(pairs.names) == count
  assert pairs.names[-1] == ("images/b.png", "boxes/b.txt")
  assert ("Left 1 of 2 pictures out" in caplog.text) == needed


def _with_mask(root, last):
  mask = np.arange(20, dtype=np.uint8).reshape(4, 5)
  mask[-1, -1] = last
  Image.fromarray(mask).save(root / "targets/a.png")
  place = pairing.Place(str(root), "", "images", "targets", "")
  return annotated.open_pairs(place, annotated.decode_mask)


def _with_lines(root, last):
  (root / "targets/a.txt").write_text(f"0 0.5 0.5 0.1 0.{last}\n")
  (root / "classes.txt").write_text("cat\n")
  return yolo.open_yolo(pairing.Place(str(root), "", "images", "targets", ""))


def _with_xml(root, last):
  corners = f"<xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>{last}</ymax>"
  (root / "targets/a.xml").write_text(
    f"<a><object><name>cat</name><bndbox>{corners}</bndbox></object></a>"
  )
  return voc.open_voc(pairing.Place(str(root), "", "images", "targets", ""))


@pytest.mark.parametrize("make", [_with_mask, _with_lines, _with_xml])
def test_corrected_targets_are_other_data(tmp_path, make):
  for name in ("images", "targets"):
    (tmp_path / name).mkdir()
  Image.new("RGB", (5, 4)).save(tmp_path / "images/a.png")
  first, other, again = (
    identity.digest([make(tmp_path, last)]) for last in (2, 3, 2)
  )
  assert first == again != other


def test_chosen_pictures_keep_their_targets_digest(root):
  place = pairing.Place(str(root), "", "images", "images", "")
  source = annotated.open_pairs(place, annotated.decode_mask)
  source = source._replace(fingerprint=lambda position: bytes([position]))
  assert annotated.select(source, [2, 1]).fingerprint(0) == b"\x02"
