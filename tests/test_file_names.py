"""Names that people and archives give to files, and where they may lead."""

import ast
import io
import os
import pathlib
import tarfile

import jax
import numpy as np
import pytest
import stored
from absl import flags
from PIL import Image

from byol_jax import extract
from byol_jax.data import folder, memory, pipeline, problems, sources

ROOT = pathlib.Path(__file__).parent.parent
_PROGRAMS = sorted(
  path
  for place in ("byol_jax", "configs", "experiments", "benchmarks")
  for path in (ROOT / place).rglob("*.py")
)
_NAMES = (
  "a b.png",
  "$(touch owned).png",
  "`touch owned`;touch owned|x&.png",
  "two\nlines.png",
  "\x1b[2Jclear.png",
  "'quotes\".png",
  "-rf.png",
  "ключ.png",
  os.fsdecode(b"\xff\xfe.png"),
)


def _png(number):
  file = io.BytesIO()
  Image.new("RGB", (8, 8), (20 * number, 0, 0)).save(file, "PNG")
  return file.getvalue()


def _shades(images):
  return list(np.round(images[:, 4, 4, 0] / 20).astype(int))


@pytest.fixture(params=["folder", "tar"])
def named(request, tmp_path, monkeypatch):
  """Pictures with all of these names in classes with some of them."""
  monkeypatch.chdir(tmp_path)
  for number, name in enumerate(_NAMES):
    for place in (f"${{HOME}} \n{number % 2}", os.fsdecode(b"\xe9")):
      path = pathlib.Path("pictures", place, name)
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(_png(number))
  if request.param == "folder":
    return "pictures"
  with tarfile.open("a.tar", "w") as tar:
    tar.add("pictures", ".")
  return "a.tar"


def test_any_name_is_read_in_all_views(named):
  before = sorted(os.listdir("."))
  source = folder.open_pictures(named, "", True, "fatal")
  assert len(source.class_names) == 3
  pool = memory.decode_all(source)
  reader = sources.Reader(0, source.num_images, 0, 1)
  whole = sources.Geometry("crop_then_resize", 1.0)
  (batch,) = pipeline.eval_batches(source, 8, reader, whole)
  expected = [
    _NAMES.index(source.name(n).rpartition("/")[2])
    for n in range(source.num_images)
  ]
  assert _shades(pool.images) == _shades(batch["images"]) == expected
  np.testing.assert_array_equal(batch["labels"], source.labels)
  assert sorted(os.listdir(".")) == before


@pytest.mark.parametrize("named", ["folder"], indirect=True)
def test_features_keep_any_name(named, tmp_path_factory, capsys):
  run = tmp_path_factory.mktemp("run")
  stored.save_encoder(run)
  values = flags.FlagValues()
  given = f"--encoder={run}", f"--images={named}", "--out=x.npz", "--labelled"
  extract.parse_flags(
    ["x", *given, f"--batch_size={jax.device_count()}"], values
  )
  extract.main([], values)
  assert "18 pictures" in capsys.readouterr().out
  with np.load("x.npz") as file:
    names = [name.rpartition("/")[2] for name in file["names"]]
    assert np.isfinite(file["features"]).all()
  assert sorted(names) == sorted(_NAMES * 2)


@pytest.mark.parametrize("name", _NAMES)
def test_messages_are_one_line_of_text(tmp_path, name):
  (tmp_path / name).write_bytes(b"text")
  with pytest.raises(ValueError, match="no picture of a known") as error:
    folder.open_pictures(str(tmp_path), "", False, "fatal")
  assert str(error.value).isprintable()
  source = folder.open_pictures(str(tmp_path), "", False, "unchecked")
  with pytest.raises(ValueError, match="cannot be decoded") as error:
    memory.decode_all(source)
  assert str(error.value).isprintable()


def test_usual_names_are_shown_as_they_are():
  assert problems.printable("a b/ключ.png") == "a b/ключ.png"
  assert problems.printable("\x1b[2J\n") == r"'\x1b[2J\n'"


def test_links_in_a_circle_end(tmp_path):
  (tmp_path / "cat" / "deep").mkdir(parents=True)
  (tmp_path / "dog").mkdir()
  for name in ("cat/1.png", "cat/deep/2.png", "dog/3.png"):
    (tmp_path / name).write_bytes(_png(1))
  (tmp_path / "cat" / "deep" / "up").symlink_to(tmp_path / "cat")
  (tmp_path / "dog" / "up").symlink_to(tmp_path)
  (tmp_path / "dog" / "here").symlink_to(".")
  source = folder.open_pictures(str(tmp_path), "", False, "fatal")
  found = [source.name(n) for n in range(source.num_images)]
  assert found == [
    f"{tmp_path}/{name}"
    for name in ("cat/1.png", "cat/deep/2.png", "dog/3.png")
  ]


def test_a_path_that_is_no_file_is_refused_at_once(tmp_path):
  os.mkfifo(tmp_path / "a.tar")
  for path in (str(tmp_path / "a.tar"), "/dev/zero", "x" * 5000, "a\0b"):
    with pytest.raises(ValueError, match=r"no folder|Neither|too long"):
      folder.open_pictures(path, "", False, "skip")


# Name, kind and content or target of an archive's members.
_MEMBERS = {
  "up": ("../up.png", tarfile.REGTYPE, _png(2)),
  "root": ("/abs/x.png", tarfile.REGTYPE, _png(3)),
  "link": ("out.png", tarfile.SYMTYPE, "/etc/hostname"),
  "hard": ("hard.png", tarfile.LNKTYPE, "../../../etc/hostname"),
  "nothing": ("hard.png", tarfile.LNKTYPE, "missing.png"),
  "loop": ("loop.png", tarfile.LNKTYPE, "loop.png"),
  "pipe": ("pipe.png", tarfile.FIFOTYPE, ""),
  "device": ("device.png", tarfile.CHRTYPE, ""),
  "folder": ("folder.png", tarfile.DIRTYPE, ""),
}


def _pack(path, members, mode="w"):
  with tarfile.open(path, mode) as tar:
    for name, kind, content in members:
      member = tarfile.TarInfo(name)
      member.type = kind
      if kind == tarfile.REGTYPE:
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
      else:
        member.linkname = content
        tar.addfile(member)
  return str(path)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("kind", _MEMBERS)
def test_no_member_leads_out_of_its_archive(tmp_path, mode, kind):
  sound = ("sound.png", tarfile.REGTYPE, _png(1))
  path = _pack(tmp_path / "a.tar", (_MEMBERS[kind], sound), mode)
  source = folder.open_pictures(path, "", False, "fatal")
  names = [source.name(n) for n in range(source.num_images)]
  # As tar unpacks it: below the folder.
  expected = [f"{path}/abs/x.png"] * (kind == "root") + [f"{path}/sound.png"]
  assert names == expected
  assert source.read(len(names) - 1) == _png(1)
  assert os.listdir(tmp_path) == ["a.tar"]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_hard_link_to_a_file_that_is_no_picture_by_name_is_read(
  tmp_path, mode
):
  members = (
    ("blob", tarfile.REGTYPE, _png(4)),
    ("a.png", tarfile.LNKTYPE, "./blob"),
  )
  path = _pack(tmp_path / "a.tar", members, mode)
  source = folder.open_pictures(path, "", False, "fatal")
  assert source.read(0) == _png(4)


@pytest.mark.parametrize("share", range(1, 10))
def test_a_tar_that_was_cut_off_is_refused(tmp_path, share):
  members = [(f"{n}.png", tarfile.REGTYPE, _png(n)) for n in range(9)]
  path = pathlib.Path(_pack(tmp_path / "a.tar", members))
  # Each has two blocks; what follows the last is padding.
  path.write_bytes(path.read_bytes()[: 1024 * share - 300 * (share % 3)])
  with pytest.raises(
    ValueError, match=r"a.tar' cannot be read as .*(end|open)"
  ):
    folder.open_pictures(str(path), "", False, "skip")


def test_archives_in_an_archive_are_not_read(tmp_path):
  inner = _pack(tmp_path / "in.tar", [("a.png", tarfile.REGTYPE, _png(1))])
  content = pathlib.Path(inner).read_bytes()
  path = _pack(tmp_path / "out.tar", [("n1.tar", tarfile.REGTYPE, content)])
  with pytest.raises(
    ValueError, match=r"no pictures are in .*; archives such as 'n1.tar'"
  ):
    folder.open_pictures(path, "", False, "skip")


def _calls(tree):
  """What a program calls, and with which keywords."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Call):
      yield ast.unparse(node.func), {word.arg for word in node.keywords}


@pytest.mark.parametrize(
  "path", _PROGRAMS, ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_program_uses_a_shell_or_unpacks(path):
  for name, keywords in _calls(ast.parse(path.read_text(encoding="utf-8"))):
    last = name.rpartition(".")[2]
    assert name not in ("os.system", "os.popen", "eval", "exec")
    assert last not in (
      "getoutput",
      "getstatusoutput",
      "create_subprocess_shell",
    )
    assert last not in ("extractall", "unpack_archive")
    assert "shell" not in keywords
