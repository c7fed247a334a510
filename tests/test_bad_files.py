"""Files that are no sound pictures, whatever they are called."""

import concurrent.futures
import errno
import io
import logging
import os
import socket
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile
from test_pipeline import _POLICY as POLICY

from byol_jax.data import files, folder, memory, pictures, pipeline, sources

_NOISE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
_DEVICE = sources.Views((POLICY,), 8, "device")


def _encode(file_format="PNG", image=_NOISE):
  file = io.BytesIO()
  Image.fromarray(image).save(file, file_format)
  return file.getvalue()


def _png_header(width, height):
  """A PNG that says it is giant and goes on with little."""
  header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
  content = b"\x89PNG\r\n\x1a\n"
  for name, body in (
    (b"IHDR", header),
    (b"IDAT", zlib.compress(bytes(1000))),
    (b"IEND", b""),
  ):
    size, checksum = len(body), zlib.crc32(name + body)
    content += struct.pack(">I", size) + name + body
    content += struct.pack(">I", checksum)
  return content


def _jpeg_header(side):
  """A small JPEG whose header says it is giant."""
  small = _encode("JPEG")
  place = small.index(b"\xff\xc0") + 5
  return small[:place] + struct.pack(">HH", side, side) + small[place + 4 :]


def _listen(path):
  """A socket; its address may not be as long as a test's folder."""
  here = os.open(path.parent, os.O_RDONLY)
  with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(f"/proc/self/fd/{here}/{path.name}")
  os.close(here)


# What is at the place of a picture, and what is said of it.
_BAD = {
  "half": (lambda path: path.write_bytes(_encode("JPEG")[:700]), "truncated"),
  "half_png": (lambda path: path.write_bytes(_encode()[:900]), "truncated"),
  "empty": (lambda path: path.write_bytes(b""), "empty file|no picture"),
  "text": (lambda path: path.write_bytes(b"text"), "no picture of a known"),
  "page": (lambda path: path.write_bytes(b"%PDF-1.4"), "no picture of a known"),
  "bomb": (
    lambda path: path.write_bytes(_png_header(60_000, 60_000)),
    "exceeds limit",
  ),
  "jpeg_bomb": (
    lambda path: path.write_bytes(_jpeg_header(60_000)),
    "exceeds limit",
  ),
  "large": (lambda path: os.truncate(_touched(path), 1 << 40), "1024 MiB"),
  "pipe": (os.mkfifo, "No regular file"),
  "socket": (_listen, "No such device or address"),
  "device": (lambda path: path.symlink_to("/dev/zero"), "No regular file"),
  "nowhere": (lambda path: path.symlink_to("nothing"), "No such file"),
  "itself": (lambda path: path.symlink_to(path.name), "symbolic links"),
}


def _touched(path):
  path.touch()
  return path


def _with_bad(root, kind):
  """A sound picture and one that is not."""
  root.joinpath("a.jpg").write_bytes(_encode("JPEG"))
  _BAD[kind][0](root / "bad.jpg")
  return str(root)


@pytest.mark.parametrize("kind", _BAD)
def test_a_bad_file_is_left_out_and_named(tmp_path, caplog, kind):
  path = _with_bad(tmp_path, kind)
  with caplog.at_level(logging.WARNING):
    source = folder.open_pictures(path, "", False, "skip")
  assert source.num_images == 1
  assert source.read(0) == _encode("JPEG")
  (record,) = caplog.records
  assert "Left 1 corrupt pictures out: bad.jpg (" in record.getMessage()
  assert str(tmp_path) not in record.getMessage()


@pytest.mark.parametrize("kind", _BAD)
def test_a_bad_file_that_is_fatal_is_named(tmp_path, kind):
  path, reason = _with_bad(tmp_path, kind), _BAD[kind][1]
  with pytest.raises(ValueError, match=rf"pictures: bad.jpg \(.*({reason})"):
    folder.open_pictures(path, "", False, "fatal")


@pytest.mark.parametrize("kind", _BAD)
def test_a_bad_file_is_named_when_it_is_pooled(tmp_path, kind):
  path, reason = _with_bad(tmp_path, kind), _BAD[kind][1]
  source = folder.open_pictures(path, "", False, "unchecked")
  with pytest.raises(
    ValueError, match=rf"^{path}/bad.jpg cannot be decoded \(.*({reason}).*skip"
  ):
    memory.decode_all(source)


def _pass(source, where):
  reader = sources.Reader(0, source.num_images, 0, 1)
  if where == "evaluation":
    return list(pipeline.eval_batches(source, 8, reader))
  views = _DEVICE._replace(where=where)
  return next(pipeline.train_batches(source, views, reader, 0))


@pytest.mark.parametrize(
  ("kind", "where", "reason"),
  [
    ("half", "device", "JPEG data"),
    ("bomb", "evaluation", "exceeds limit"),
    ("pipe", "device", "No regular file"),
    ("nowhere", "evaluation", "No such file or directory"),
  ],
)
def test_a_bad_file_is_named_by_tf_data(tmp_path, kind, where, reason):
  path = _with_bad(tmp_path, kind)
  source = folder.open_pictures(path, "", False, "unchecked")
  with pytest.raises(ValueError, match="cannot be decoded") as error:
    _pass(source, where)
  said = str(error.value)
  assert said.startswith(f"{path}/bad.jpg cannot be decoded (")
  assert reason in said
  assert "{{" not in said
  assert "Iterator" not in said


@pytest.mark.parametrize("where", ["device", "evaluation"])
def test_a_picture_of_a_later_batch_is_named(tmp_path, where):
  for number in range(8):
    (tmp_path / f"{number}.png").write_bytes(_encode())
  source = folder.open_pictures(str(tmp_path), "", False, "fatal")
  reader = sources.Reader(0, 2, 0, 1)
  if where == "device":
    order = pipeline.train_batches(source, _DEVICE, reader, 1)
    later = pipeline.train_batches(source, _DEVICE, reader, 1)
    gone = [next(order)["index"] for _ in range(3)][2][1]
  else:
    later = pipeline.eval_batches(source, 8, reader)
    gone = 5
  (tmp_path / f"{gone}.png").unlink()
  with pytest.raises(
    ValueError, match=rf"{gone}.png cannot be decoded \(No such file"
  ):
    list(zip(range(8), later, strict=False))


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_a_picture_that_changes_after_the_start_is_named(tmp_path, change):
  path = tmp_path / "a.png"
  path.write_bytes(_encode())
  source = folder.open_pictures(str(tmp_path), "", False, "fatal")
  path.unlink()
  reason = "No such file or directory"
  if change == "replaced":
    path.write_bytes(b"text")
    reason = "no picture of a known format"
  with pytest.raises(ValueError, match=rf"{path} cannot be decoded \({reason}"):
    memory.decode_all(source)


@pytest.mark.parametrize("corrupt", folder.CORRUPT)
def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch, corrupt):
  for name in ("a.png", "b.png"):
    (tmp_path / name).write_bytes(_encode())
  opened = os.open

  def refuse(path, *rest, **others):
    if str(path).endswith("b.png"):
      raise PermissionError(errno.EACCES, "Permission denied", str(path))
    return opened(path, *rest, **others)

  monkeypatch.setattr(os, "open", refuse)
  path = str(tmp_path)
  if corrupt == "skip":
    assert folder.open_pictures(path, "", False, corrupt).num_images == 1
    return
  with pytest.raises(ValueError, match=r"b.png.* \(Permission denied\)"):
    memory.decode_all(folder.open_pictures(path, "", False, corrupt))


def test_a_folder_that_may_not_be_listed_is_named(tmp_path, monkeypatch):
  (tmp_path / "closed").mkdir()
  listed = os.scandir

  def refuse(path):
    if str(path).endswith("closed"):
      raise PermissionError(errno.EACCES, "Permission denied", str(path))
    return listed(path)

  monkeypatch.setattr(os, "scandir", refuse)
  with pytest.raises(ValueError, match=r"Permission denied: .*closed"):
    folder.open_pictures(str(tmp_path), "", False, "skip")


@pytest.mark.parametrize("content", [_png_header, lambda x, _: _jpeg_header(x)])
def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch, content):
  decoded = []
  load = ImageFile.ImageFile.load

  def counted(picture):
    decoded.append(picture)
    return load(picture)

  monkeypatch.setattr(ImageFile.ImageFile, "load", counted)
  for function in (pictures.inspect, pictures.decode):
    with pytest.raises(pictures.ERRORS, match="exceeds limit"):
      function(content(20_000, 20_000))
    function(_encode())
  assert {picture.size for picture in decoded} == {(32, 32)}


@pytest.mark.parametrize(("giant", "most"), [(1, 1), (1 << 24, 2)])
def test_giant_pictures_are_decoded_one_by_one(monkeypatch, giant, most):
  monkeypatch.setattr(pictures, "_GIANT_PIXELS", giant)
  load, lock, at_once = ImageFile.ImageFile.load, threading.Lock(), [0, 0]

  def counted(picture):
    with lock:
      at_once[0] += 1
      at_once[1] = max(at_once)
    time.sleep(0.05)
    with lock:
      at_once[0] -= 1
    return load(picture)

  monkeypatch.setattr(ImageFile.ImageFile, "load", counted)
  with concurrent.futures.ThreadPoolExecutor(2) as threads:
    list(threads.map(pictures.inspect, [_encode()] * 4))
  assert at_once[1] == most


def test_a_pool_beyond_the_memory_is_refused(tmp_path, monkeypatch):
  (tmp_path / "a.png").write_bytes(_encode())
  source = folder.open_pictures(str(tmp_path), "", False, "fatal")
  with pytest.raises(
    ValueError, match=r"of 32x32 pixels are \d+ GiB.*data.views"
  ):
    memory.decode_all(source._replace(num_images=1 << 40))


def test_a_member_too_large_for_a_picture_is_not_read(tmp_path, monkeypatch):
  monkeypatch.setattr(files, "MAX_BYTES", 2000)
  (tmp_path / "small.png").write_bytes(_encode(image=_NOISE[:8, :8]))
  (tmp_path / "large.png").write_bytes(_encode())
  with pytest.raises(ValueError, match=r"large.png \(Larger than"):
    folder.open_pictures(str(tmp_path), "", False, "fatal")


def test_empty_folders_hold_no_pictures(tmp_path):
  (tmp_path / "cat.jpg").mkdir()
  with pytest.raises(ValueError, match="no pictures are in"):
    folder.open_pictures(str(tmp_path), "", False, "skip")


def test_an_empty_class_folder_is_no_class(tmp_path):
  for name in ("cat", "dog", "eel"):
    (tmp_path / name).mkdir()
  for name in ("cat/1.png", "eel/1.png"):
    (tmp_path / name).write_bytes(_encode())
  source = folder.open_pictures(str(tmp_path), "", True, "fatal")
  assert source.class_names == ("cat", "eel")
  np.testing.assert_array_equal(source.labels, [0, 1])
