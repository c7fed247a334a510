import full_disk
import numpy as np
import pytest
from pyarrow import parquet

from byol_jax.evaluation import export


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_write_never_holds_all_features(tmp_path, monkeypatch, ending):
  monkeypatch.setattr(export, "_CHUNK", 2)
  path = tmp_path / f"x.{ending}"
  rows = export.Rows(["a"] * 40, np.zeros(0, np.int32), ())
  alive = []

  class Watched(np.ndarray):
    def __del__(self):
      alive.pop()

  def chunks():
    for number in range(40):
      assert not path.exists()
      assert len(alive) < 8
      alive.append(None)
      yield np.full((1, 3), number, np.float32).view(Watched)

  assert export.write(str(path), rows, chunks()) == 3
  assert path.exists()


@pytest.mark.parametrize("count", [1, 3])
def test_write_refuses_another_number_of_rows(tmp_path, count):
  rows = export.Rows(["a", "b"], np.zeros(0, np.int32), ())
  chunks = iter(np.ones((count, 1, 4)))
  with pytest.raises(ValueError, match=r"2 pictures have \d rows"):
    export.write(str(tmp_path / "x.npz"), rows, chunks)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_a_full_disk_leaves_the_old_file(tmp_path, ending):
  path = tmp_path / f"x.{ending}"
  path.write_text("old")
  rows = export.Rows(["a"] * 40, np.zeros(0, np.int32), ())
  noise = np.random.default_rng(0).normal(
    size=(40, 1, 512)
  )  # Not compressible.
  chunks = iter(noise.astype(np.float32))
  said = f"^{path} cannot be written .*too large"
  with full_disk.after(40_000), pytest.raises(OSError, match=said):
    export.write(str(path), rows, chunks)
  assert path.read_text() == "old"
  assert list(tmp_path.iterdir()) == [path]


def test_names_need_not_be_unicode(tmp_path):
  name = b"caf\xe9.png".decode(errors="surrogateescape")
  rows = export.Rows([name, "é"], np.zeros(0, np.int32), ())
  for path in (tmp_path / "x.npz", tmp_path / "x.parquet"):
    export.write(str(path), rows, iter(np.ones((1, 2, 4), np.float32)))
  with np.load(tmp_path / "x.npz") as file:
    assert list(file["names"]) == [name, "é"]
  table = parquet.read_table(tmp_path / "x.parquet")
  assert table["name"].to_pylist() == [r"caf\udce9.png", "é"]


def test_parquet_without_its_package_is_one_sentence(monkeypatch):
  monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
  with pytest.raises(ValueError, match=r"needs the package pyarrow: pip"):
    export.check_path("x.parquet")
