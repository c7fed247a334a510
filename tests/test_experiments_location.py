"""Photographs in a folder or an archive, as experiments are given them."""

import tarfile

import pytest

from experiments import configured, location


@pytest.mark.parametrize("root", ["", "natural/", "./a/b/"])
def test_one_archive_may_hold_both_parts(tmp_path, root):
  with tarfile.open(tmp_path / "both.tar", "w") as out:
    for part in ("test", "train"):
      out.add(__file__, f"{root}{part}/cat/0.jpg")
  path = str(tmp_path / "both.tar")
  evaluation = configured.built("configs/eval/supervised.py", ())
  found = location.photographs(path, evaluation)
  assert found["data.train_path"] == found["data.test_path"] == path
  assert found["data.train_prefix"] == f"{root}train".removeprefix("./")
  assert found["data.test_prefix"] == f"{root}test".removeprefix("./")


@pytest.mark.parametrize(
  ("name", "message"),
  [("text.tar", "is no archive"), ("empty.tar", "has no folder train")],
)
def test_an_archive_without_the_parts_is_named(tmp_path, name, message):
  (tmp_path / "text.tar").write_text("no archive")
  tarfile.open(tmp_path / "empty.tar", "w").close()
  config = configured.built("configs/folder.py", ())
  with pytest.raises(ValueError, match=message):
    location.photographs(str(tmp_path / name), config)
