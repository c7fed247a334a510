"""Files that stay whole, and files that did not."""

import errno
import os
import re

import full_disk
import pytest

from byol_jax import intact

DAMAGED = {
  "empty": b"",
  "half": b'{"step": 20, "lo',
  "zeros": b"\0" * 64,
  "noise": b"\xff\xfe\x81\n",
  "deep": b"[" * 100_000,
  "long": b"9" * 10_000,
}


@pytest.fixture(params=DAMAGED)
def damaged(request):
  return DAMAGED[request.param]


def test_read_gives_what_was_written(tmp_path):
  intact.write_whole('{"a": [1.5, NaN]}', tmp_path / "x.json")
  assert str(intact.read(tmp_path / "x.json")) == "{'a': [1.5, nan]}"
  assert intact.read(tmp_path / "missing.json") is None


def test_bytes_are_written_as_they_are(tmp_path):
  intact.write_whole(b"\xff\x00\r\n", tmp_path / "x.npz")
  assert (tmp_path / "x.npz").read_bytes() == b"\xff\x00\r\n"


def test_read_gives_nothing_of_a_damaged_file(tmp_path, damaged):
  (tmp_path / "x.json").write_bytes(damaged)
  assert intact.read(tmp_path / "x.json") is None


@pytest.mark.parametrize("place", [0, 1, 2])
def test_objects_pass_over_damaged_lines_anywhere(tmp_path, damaged, place):
  lines = [b'{"step": 1}', b'{"step": 2}']
  lines.insert(place, damaged)
  (tmp_path / "x.jsonl").write_bytes(b"\n".join(lines) + b"\n")
  found = intact.objects(tmp_path / "x.jsonl")
  assert found == [{"step": 1}, {"step": 2}]


@pytest.mark.parametrize("line", ["[1]", "3", '"step"', "null", "NaN"])
def test_objects_are_objects(tmp_path, line):
  (tmp_path / "x.jsonl").write_text(f'{line}\n{{"step": 1}}\n')
  assert intact.objects(tmp_path / "x.jsonl") == [{"step": 1}]


def test_append_begins_a_line_after_half_a_line(tmp_path, damaged):
  path = tmp_path / "x.jsonl"
  path.write_bytes(b'{"step": 1}\n' + damaged)
  for step in (2, 3):
    intact.append(f'{{"step": {step}}}\n', path)
  assert [line["step"] for line in intact.objects(path)] == [1, 2, 3]


def test_append_begins_a_file(tmp_path):
  intact.append("one\n", tmp_path / "x.jsonl")
  intact.append("two\n", tmp_path / "x.jsonl")
  assert (tmp_path / "x.jsonl").read_text() == "one\ntwo\n"


def test_try_out_leaves_what_is_there(tmp_path):
  (tmp_path / "old").write_text("old")
  intact.try_out(tmp_path / "old")
  intact.try_out(tmp_path / "new")
  assert [path.name for path in tmp_path.iterdir()] == ["old"]
  assert (tmp_path / "old").read_text() == "old"
  with pytest.raises(OSError, match="No such file"):
    intact.try_out(tmp_path / "missing" / "new")


def test_write_whole_leaves_one_whole_file(tmp_path):
  path = tmp_path / "summary.json"
  for text in ("first", "second"):
    intact.write_whole(text, path)
  assert path.read_text() == "second"
  assert os.listdir(tmp_path) == ["summary.json"]


def test_write_whole_never_writes_into_the_old_file(tmp_path):
  intact.write_whole("first", tmp_path / "x.json")
  os.link(tmp_path / "x.json", tmp_path / "same")
  intact.write_whole("second", tmp_path / "x.json")
  assert (tmp_path / "same").read_text() == "first"


def test_write_whole_on_a_full_disk_leaves_the_old_file(tmp_path):
  path = tmp_path / "summary.json"
  intact.write_whole("old", path)
  with full_disk.after(1000), pytest.raises(OSError, match=f"^{path} cannot"):
    intact.write_whole("x" * 1001, path)
  assert path.read_text() == "old"
  assert os.listdir(tmp_path) == ["summary.json"]


def test_append_on_a_full_disk_keeps_the_lines(tmp_path):
  path, line = tmp_path / "x.jsonl", '{"step": 1}\n'
  intact.append(line * 5, path)
  with (
    full_disk.after(5 * len(line) + 4),
    pytest.raises(OSError, match="large"),
  ):
    intact.append(line, path)
  assert len(intact.objects(path)) == 5
  intact.append(line, path)
  assert len(intact.objects(path)) == 6


def test_an_error_is_one_sentence_with_path_and_reason(tmp_path):
  reason = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
  said = "x cannot be written (No space left on device); what it had is kept."
  with (
    pytest.raises(OSError, match=f"^{re.escape(said)}$"),
    intact.writing("x"),
  ):
    raise reason
