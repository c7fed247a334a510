"""Folders and tar files of pictures."""

import io
import logging
import pathlib
import tarfile

import numpy as np
import pytest
from PIL import Image

from byol_jax.data import folder, memory, pictures


def _image(number):
  rng = np.random.default_rng(number)
  return rng.integers(0, 256, (9, 11, 3), np.uint8)


def _png(number):
  file = io.BytesIO()
  Image.fromarray(_image(number)).save(file, "PNG")
  return file.getvalue()


# Two parts with two classes; class "dog" has a picture in a deeper folder.
_CONTENTS = {
  "set/train/cat/2.png": _png(2),
  "set/train/cat/1.PNG": _png(1),
  "set/train/dog/deep/3.png": _png(3),
  "set/test/dog/4.png": _png(4),
  "set/train/cat/notes.txt": b"not a picture",
  "set/train/cat/._1.png": b"macOS",
  "set/train/.hidden/5.png": _png(5),
  "__MACOSX/set/train/cat/6.png": _png(6),
}


def _write(root, contents):
  for name, content in contents.items():
    file = pathlib.Path(root, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
  return str(root)


def _pack(path, contents, mode, prefix=""):
  with tarfile.open(path, mode) as tar:
    for name, content in contents.items():
      member = tarfile.TarInfo(prefix + name)
      member.size = len(content)
      tar.addfile(member, io.BytesIO(content))
  return str(path)


@pytest.fixture(params=["folder", "tar", "tar.gz", "tar.xz", "./tar"])
def path(request, tmp_path):
  if request.param == "folder":
    return _write(tmp_path / "pictures", _CONTENTS)
  compression = request.param.partition(".")[2].replace("/tar", "")
  prefix = "./" if request.param == "./tar" else ""
  return _pack(tmp_path / "pictures.tar", _CONTENTS, f"w:{compression}", prefix)


def test_labelled_pictures_are_sorted_and_numbered_by_folder(path):
  source = folder.open_pictures(path, "set/train", True, "skip")
  assert source.class_names == ("cat", "dog")
  assert source.num_images == 3
  np.testing.assert_array_equal(source.labels, [0, 0, 1])
  assert source.labels.dtype == np.int32
  decoded = [pictures.decode(source.read(position)) for position in range(3)]
  np.testing.assert_array_equal(decoded, [_image(1), _image(2), _image(3)])
  assert source.name(2).endswith("set/train/dog/deep/3.png")


def test_unlabelled_pictures_come_from_any_depth(path):
  source = folder.open_pictures(path, "", False, "skip")
  assert source.num_images == 4
  assert source.class_names == ()
  assert source.labels.shape == (0,)


def test_unchecked_pictures_are_the_same(path):
  checked = folder.open_pictures(path, "set", True, "skip")
  unchecked = folder.open_pictures(path, "set", True, "unchecked")
  assert checked.class_names == unchecked.class_names == ("test", "train")
  for position in range(checked.num_images):
    assert checked.read(position) == unchecked.read(position)
  np.testing.assert_array_equal(checked.is_plain_jpeg, unchecked.is_plain_jpeg)


def test_given_class_names_fix_the_numbering(path):
  source = folder.open_pictures(path, "set/test", True, "skip", ("cat", "dog"))
  np.testing.assert_array_equal(source.labels, [1])
  assert source.class_names == ("cat", "dog")


def test_unknown_class_is_named(path):
  with pytest.raises(ValueError, match=r"class 'dog'.* are cat, horse"):
    folder.open_pictures(path, "set/test", True, "skip", ("cat", "horse"))


def test_picture_outside_any_class_is_named(tmp_path):
  root = _write(tmp_path, {"cat/1.png": _png(1), "2.png": _png(2)})
  with pytest.raises(
    ValueError, match=r"'2.png' .*give each class a folder; pret"
  ):
    folder.open_pictures(root, "", True, "skip")


@pytest.mark.parametrize("mode", ["w:", "w:gz"])
def test_tar_follows_hard_links_and_takes_the_last_of_equal_names(
  tmp_path, mode
):
  with tarfile.open(tmp_path / "a.tar", mode) as tar:
    for name, number in (("1.png", 7), ("1.png", 1)):
      member = tarfile.TarInfo(name)
      member.size = len(_png(number))
      tar.addfile(member, io.BytesIO(_png(number)))
    link = tarfile.TarInfo("2.png")
    link.type, link.linkname = tarfile.LNKTYPE, "1.png"
    tar.addfile(link)
  source = folder.open_pictures(str(tmp_path / "a.tar"), "", False, "fatal")
  assert [source.read(0), source.read(1)] == [_png(1), _png(1)]


def test_folder_follows_links_to_folders(tmp_path):
  _write(tmp_path / "elsewhere", {"1.png": _png(1)})
  _write(tmp_path / "root" / "dog", {"1.png": _png(1)})
  (tmp_path / "root" / "cat").symlink_to(tmp_path / "elsewhere")
  source = folder.open_pictures(str(tmp_path / "root"), "", True, "skip")
  assert source.class_names == ("cat", "dog")


def test_a_single_class_is_refused(tmp_path):
  _write(tmp_path / "train" / "cat", {"1.png": _png(1)})
  with pytest.raises(
    ValueError, match=r"one class folder, 'train': name .*; pret"
  ):
    folder.open_pictures(str(tmp_path), "", True, "skip")


def _jpeg(mode="RGB"):
  file = io.BytesIO()
  Image.fromarray(_image(0)).resize((64, 64)).convert(mode).save(file, "JPEG")
  return file.getvalue()


def test_plain_jpegs_are_marked(tmp_path):
  root = _write(
    tmp_path,
    {
      "a.jpg": _jpeg(),
      "b.jpeg": _jpeg("L"),
      "c.jpg": _jpeg("CMYK"),
      "d.jpg": _png(1),
      "e.png": _jpeg(),
    },
  )
  expected = [True, True, False, False, True]
  for corrupt in ("skip", "unchecked"):
    source = folder.open_pictures(root, "", False, corrupt)
    np.testing.assert_array_equal(source.is_plain_jpeg, expected)


_CORRUPT = {
  "empty.png": b"",
  "half.jpg": _jpeg()[:700],
  "half.png": _png(1)[:200],
  "text.gif": b"hello",
}


def test_corrupt_pictures_are_skipped_and_named_once(tmp_path, caplog):
  root = _write(tmp_path, {"fine.png": _png(1), **_CORRUPT})
  with caplog.at_level(logging.WARNING):
    source = folder.open_pictures(root, "", False, "skip")
  assert source.num_images == 1
  assert source.read(0) == _png(1)
  (record,) = caplog.records
  assert "4 corrupt" in record.getMessage()
  for name in _CORRUPT:
    assert name in record.getMessage()
  assert "fine.png" not in record.getMessage()


def test_many_corrupt_pictures_are_counted(tmp_path, caplog):
  broken = {f"{number:02}.png": b"" for number in range(13)}
  root = _write(tmp_path, {"fine.png": _png(1), **broken})
  with caplog.at_level(logging.WARNING):
    folder.open_pictures(root, "", False, "skip")
  assert "09.png (empty file) and 3 more" in caplog.text
  assert "10.png" not in caplog.text


def test_labels_stay_with_their_pictures_when_some_are_skipped(tmp_path):
  root = _write(
    tmp_path, {"a/1.png": b"", "b/2.png": _png(2), "c/3.png": _png(3)}
  )
  source = folder.open_pictures(root, "", True, "skip")
  np.testing.assert_array_equal(source.labels, [1, 2])
  assert source.class_names == ("a", "b", "c")


@pytest.mark.parametrize("name", sorted(_CORRUPT))
def test_fatal_corruption_names_the_file(tmp_path, name):
  root = _write(tmp_path, {"fine.png": _png(1), name: _CORRUPT[name]})
  with pytest.raises(ValueError, match=rf"corrupt pictures: {name} \("):
    folder.open_pictures(root, "", False, "fatal")


def test_only_corrupt_pictures_are_an_error(tmp_path):
  root = _write(tmp_path, _CORRUPT)
  with pytest.raises(ValueError, match=r"all pictures .* corrupt: empty.png"):
    folder.open_pictures(root, "", False, "skip")


@pytest.mark.parametrize("shrink", [1.5, 3.0])
def test_giant_pictures_count_as_corrupt(tmp_path, monkeypatch, shrink):
  # Beyond the limit Pillow warns, beyond twice the limit it raises.
  monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(9 * 11 / shrink))
  root = _write(tmp_path, {"giant.png": _png(1)})
  with pytest.raises(ValueError, match=r"giant.png .*exceeds limit"):
    folder.open_pictures(root, "", False, "fatal")


def test_truncated_tar_gz_is_one_sentence(tmp_path):
  path = pathlib.Path(_pack(tmp_path / "a.tar.gz", _CONTENTS, "w:gz"))
  path.write_bytes(path.read_bytes()[:600])
  with pytest.raises(ValueError, match=r"a.tar.gz' cannot be read"):
    folder.open_pictures(str(path), "", False, "skip")


def test_file_that_is_no_tar_is_one_sentence(tmp_path):
  root = _write(tmp_path, {"notes.txt": b"no tar" * 500})
  with pytest.raises(ValueError, match=r"notes.txt' cannot be read"):
    folder.open_pictures(f"{root}/notes.txt", "", False, "skip")


@pytest.mark.parametrize("path", ["", "no/such/place"])
def test_missing_path_is_named(path):
  with pytest.raises(ValueError, match=f"no folder or tar file is at '{path}'"):
    folder.open_pictures(path, "", False, "skip")


def test_wrong_prefix_is_named(path):
  with pytest.raises(ValueError, match=r"no pictures are below 'set/tr'"):
    folder.open_pictures(path, "set/tr", True, "skip")


def test_unknown_corruption_policy_is_named(path):
  with pytest.raises(ValueError, match=r"'ignore'.*skip.*fatal.*unchecked"):
    folder.open_pictures(path, "", False, "ignore")


def test_folder_and_tar_decode_to_the_same_pool(tmp_path):
  root = _write(tmp_path / "pictures", _CONTENTS)
  packed = _pack(tmp_path / "a.tar", _CONTENTS, "w")
  pools = [
    memory.decode_all(folder.open_pictures(path, "set/train", True, "skip"))
    for path in (root, packed)
  ]
  np.testing.assert_array_equal(pools[0].images, pools[1].images)
  np.testing.assert_array_equal(pools[0].labels, pools[1].labels)
