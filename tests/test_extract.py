"""Features of pictures of 8 pixels, which the encoder sees as they are."""

import io
import itertools
import tarfile

import jax
import numpy as np
import pytest
import stored
from absl import flags
from PIL import Image
from pyarrow import parquet

from byol_jax import encoders, encoding, extract, stopping
from byol_jax.evaluation import export

NAMES = tuple(
  sorted(f"{kind}/{number}.png" for kind in "ab" for number in (9, 10, 11))
)
LABELS = (0, 0, 0, 1, 1, 1)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("run")
  stored.save_encoder(workdir)
  return workdir


@pytest.fixture
def folder(tmp_path):
  root = tmp_path / "pictures"
  for kind in "ab":
    (root / kind).mkdir(parents=True)
  for name, image in zip(NAMES, stored.pictures(), strict=True):
    Image.fromarray(image).save(root / name)
  return root


@pytest.fixture
def run(encoder, folder):
  """Runs the command, at first with the flags that are always needed."""

  def run_with(out, *more):
    values = flags.FlagValues()
    needed = f"--encoder={encoder}", f"--images={folder}", f"--out={out}"
    extract.parse_flags(["x", *needed, "--crop_share=1", *more], values)
    extract.main([], values)

  return run_with


def _read(path):
  with np.load(path) as file:
    return dict(file)


@pytest.mark.parametrize("batch_size", [4, 6])
def test_features_are_those_of_load_encoder(
  run, encoder, tmp_path, capsys, batch_size
):
  out = tmp_path / "x.npz"
  run(out, f"--batch_size={batch_size}")
  assert capsys.readouterr().out == f"Wrote {out}: 6 pictures, 16 features.\n"
  got = _read(out)
  assert set(got) == {"features", "names"}
  assert tuple(got["names"]) == NAMES
  expected = encoders.load_encoder(str(encoder))(stored.pictures())
  assert np.abs(expected[:3] - expected[3:]).max() > 0.1
  assert got["features"].dtype == np.float32
  np.testing.assert_allclose(got["features"], expected, rtol=1e-5, atol=1e-6)


def test_one_device_writes_what_two_write(run, tmp_path, monkeypatch):
  run(tmp_path / "two.npz", "--batch_size=4")
  monkeypatch.setattr(jax, "local_device_count", lambda: 1)
  monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
  run(tmp_path / "one.npz", "--batch_size=4")
  two, one = (_read(tmp_path / f"{name}.npz") for name in ("two", "one"))
  np.testing.assert_array_equal(one["names"], two["names"])
  np.testing.assert_allclose(
    one["features"], two["features"], rtol=1e-5, atol=1e-6
  )


def test_an_archive_gives_paths_within_it(run, folder, tmp_path):
  archive = tmp_path / "all.tar"
  with tarfile.open(archive, "w") as tar:
    tar.add(folder, "pictures/test")
    noise = tarfile.TarInfo("pictures/train/a/1.png")
    noise.size = 3
    tar.addfile(noise, io.BytesIO(b"abc"))
  run(tmp_path / "folder.npz", "--batch_size=6")
  more = f"--images={archive}", "--prefix=pictures/test", "--batch_size=6"
  run(tmp_path / "tar.npz", *more)
  ours, theirs = (_read(tmp_path / f"{name}.npz") for name in ("tar", "folder"))
  assert list(ours["names"]) == [f"pictures/test/{name}" for name in NAMES]
  np.testing.assert_array_equal(ours["features"], theirs["features"])


def test_geometry_and_size_reach_the_pictures(run, tmp_path):
  flags_of = {
    "whole": (),
    "middle": ("--crop_share=0.5",),
    "first": ("--crop_share=0.5", "--geometry=crop_then_resize"),
    "large": ("--image_px=12",),
  }
  found = []
  for name, more in flags_of.items():
    run(tmp_path / f"{name}.npz", "--batch_size=6", *more)
    found.append(_read(tmp_path / f"{name}.npz")["features"])
  for number, features in enumerate(found):
    assert all(np.abs(features - x).max() > 1e-3 for x in found[:number])


def test_parquet_holds_the_same_as_npz(run, tmp_path, monkeypatch):
  # Several row groups, which batches do not fill.
  monkeypatch.setattr(export, "_CHUNK", 3)
  for ending in ("npz", "parquet"):
    run(tmp_path / f"x.{ending}", "--batch_size=2", "--labelled")
  npz = _read(tmp_path / "x.npz")
  assert tuple(npz["labels"]) == LABELS
  assert npz["labels"].dtype == np.int32
  assert tuple(npz["class_names"]) == ("a", "b")
  file = parquet.ParquetFile(tmp_path / "x.parquet")
  assert file.num_row_groups == 2
  table = file.read()
  assert table.schema.field("features").type.list_size == 16
  assert table.schema.metadata[b"class_names"] == b'["a", "b"]'
  columns = table.to_pydict()
  assert tuple(columns["name"]) == NAMES
  assert tuple(columns["label"]) == LABELS
  assert np.abs(npz["features"]).max() > 0.1
  np.testing.assert_array_equal(columns["features"], npz["features"])


def test_a_corrupt_picture_is_left_out(run, folder, tmp_path):
  (folder / "a" / "10.png").write_bytes(b"no picture")
  run(tmp_path / "x.npz", "--labelled")
  got = _read(tmp_path / "x.npz")
  assert tuple(got["names"]) == NAMES[1:]
  assert tuple(got["labels"]) == LABELS[1:]
  assert len(got["features"]) == 5


def test_a_run_that_fails_leaves_the_older_file(run, folder, tmp_path, capsys):
  (folder / "b" / "9.png").write_bytes(b"no picture")
  (tmp_path / "x.npz").write_bytes(b"older")
  with pytest.raises(SystemExit) as error:
    run(tmp_path / "x.npz", "--corrupt=unchecked", "--batch_size=2")
  assert error.value.code == 1
  said = capsys.readouterr().err
  named = folder / "b" / "9.png"
  assert said.startswith(f"byol_jax: {named} cannot be decoded (no picture")
  assert said.endswith("--corrupt=skip leaves such files of your own out.\n")
  assert (tmp_path / "x.npz").read_bytes() == b"older"
  assert not list(tmp_path.glob("*.tmp"))


REFUSED = [
  (("--encoder=",), "--encoder is missing, for example --encoder=runs/cpu."),
  (("--images=",), "--images is missing, for example --images=pictures."),
  (("--out=",), "--out is missing, for example --out=features.npz."),
  (("--config=x",), "Unknown command line flag 'config'"),
  (("x",), "'x' is not a flag; flags begin with --."),
  (("--batch_size=many",), "flag --batch_size=many: invalid literal"),
  (("--batch_size=3",), "--batch_size=3 cannot be shared equally by 2 devices"),
  (("--image_px=-1",), "flag --image_px=-1: -1 is"),
  (("--image_px=7",), "--image_px=7 must be an integer from 8 to 4096."),
  (("--image_px=4097",), "--image_px=4097 must be an integer from 8 to 4096."),
  (("--geometry=x",), "flag --geometry=x: value should be one of"),
  (("--crop_share=0",), "the geometry's share is 0.0: it has to be in (0, 1]."),
  (("--corrupt=x",), "flag --corrupt=x: value should be one of"),
  (("--encoder=missing",), "missing is not a folder with checkpoints."),
  (("--images=missing",), "no folder or tar file is at 'missing'."),
  (("--prefix=c",), "no pictures are below 'c' in "),
  (("--prefix=a", "--labelled"), "'a/9.png' in "),
  (("--out=x.csv",), "x.csv has to end in .npz or .parquet."),
  (
    ("--out=missing/x.npz",),
    "--out=missing/x.npz cannot be written: No such file or directory.",
  ),
]


@pytest.mark.parametrize(("more", "sentence"), REFUSED)
def test_mistakes_are_one_line_and_code_2(
  run, tmp_path, capsys, more, sentence
):
  with pytest.raises(SystemExit) as error:
    run(tmp_path / "x.npz", *more)
  assert error.value.code == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith(f"byol_jax: {sentence}")
  assert "data." not in line
  assert not (tmp_path / "x.npz").exists()


def test_progress_is_lines_in_a_log(run, tmp_path, capsys, monkeypatch):
  monkeypatch.setattr(encoding, "_SECS_BETWEEN_LINES", 0.0)
  run(tmp_path / "x.npz", "--batch_size=2")
  first, last = capsys.readouterr().err.splitlines()
  assert first.startswith("4/6 pictures, ")
  assert last.startswith("6/6 pictures, ")
  assert last.endswith(" pictures/s")


def test_a_request_to_stop_leaves_nothing_behind(
  run, tmp_path, capsys, monkeypatch
):
  asked = itertools.chain([False], itertools.repeat(True))
  monkeypatch.setattr(stopping, "due", lambda: next(asked))
  with pytest.raises(SystemExit) as error:
    run(tmp_path / "x.npz", "--batch_size=2")
  assert error.value.code == 75
  line = f"byol_jax: Stopped; {tmp_path / 'x.npz'} is not written.\n"
  assert capsys.readouterr().err == line
  assert [path.name for path in tmp_path.iterdir()] == ["pictures"]
