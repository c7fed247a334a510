import errno
import os
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest

from byol_jax import workdirs

# Holds a folder until it is killed.
_HOLDER = """
import sys, time
from byol_jax import workdirs
with workdirs.open_workdir(sys.argv[1], 0):
  print("held", flush=True)
  time.sleep(600)
"""


def _open_and_close(path, num_bytes=0, keep=1):
  with workdirs.open_workdir(str(path), num_bytes, keep):
    pass


@pytest.fixture(name="free")
def _free(monkeypatch):
  """Sets how many bytes are free."""

  def set_free(free):
    usage = types.SimpleNamespace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)

  return set_free


def test_open_workdir_makes_the_folder_and_leaves_only_its_lock(tmp_path):
  path = tmp_path / "runs" / "1"
  _open_and_close(path)
  assert os.listdir(path) == [".lock"]
  _open_and_close(path)


def test_a_second_run_is_refused(tmp_path):
  message = f"^Another run is writing to {tmp_path}: .* another --workdir.$"
  with (
    workdirs.open_workdir(str(tmp_path), 0),
    pytest.raises(ValueError, match=message),
  ):
    _open_and_close(tmp_path)
  _open_and_close(tmp_path)


def test_a_killed_run_holds_nothing(tmp_path):
  holder = subprocess.Popen(
    [sys.executable, "-c", _HOLDER, str(tmp_path)],
    stdout=subprocess.PIPE,
    text=True,
  )
  with holder:
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(workdirs.WorkdirError, match="Another run is writing"):
      _open_and_close(tmp_path)
    holder.kill()
  _open_and_close(tmp_path)


@pytest.mark.parametrize("below", ["file", "file/inner"])
def test_a_file_in_the_way_is_named(tmp_path, below):
  (tmp_path / "file").write_text("")
  path = tmp_path / below
  message = f"^{path} cannot be made: there is a file, .* another --workdir.$"
  with pytest.raises(workdirs.WorkdirError, match=message):
    _open_and_close(path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
  def refuse(_):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))

  monkeypatch.setattr(workdirs, "_probe", refuse)
  message = f"^{tmp_path} cannot be written to: Read-only file system.$"
  with pytest.raises(workdirs.WorkdirError, match=message):
    _open_and_close(tmp_path)


def test_a_full_disk_is_found_by_writing(tmp_path):
  # Here every write fails, as on a full disk.
  (tmp_path / ".probe").symlink_to("/dev/full")
  with pytest.raises(
    workdirs.WorkdirError, match=r"No space left on device\.$"
  ):
    _open_and_close(tmp_path)


def test_too_little_room_is_refused(tmp_path, free):
  free(2**29)
  message = (
    f"^{tmp_path} has 512.00 MiB of free space, and one checkpoint takes up to"
    " 1.50 GiB: free some, or choose another --workdir.$"
  )
  with pytest.raises(workdirs.WorkdirError, match=message):
    _open_and_close(tmp_path, num_bytes=3 * 2**29)


@pytest.mark.parametrize(
  ("bytes_free", "steps", "said"),
  [
    (30, [], []),
    (29, [], ["3 more may come to lie there."]),
    (19, ["4"], ["2 more may come to lie there."]),
    (20, ["4", "4.damaged"], []),
  ],
)
def test_room_for_few_is_a_warning(
  tmp_path, free, caplog, bytes_free, steps, said
):
  for step in steps:
    (tmp_path / "checkpoints" / step).mkdir(parents=True)
  free(bytes_free)
  _open_and_close(tmp_path, num_bytes=10, keep=2)
  assert [line.rpartition("; ")[2] for line in caplog.messages] == said


def test_a_file_system_without_locks_is_a_warning(
  tmp_path, monkeypatch, caplog
):
  def refuse(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

  monkeypatch.setattr(workdirs.fcntl, "flock", refuse)
  _open_and_close(tmp_path)
  assert "(No locks available): start no second run there." in caplog.text


def test_the_other_hosts_hear_of_it(tmp_path, monkeypatch):
  monkeypatch.setattr(workdirs.parallel, "host", lambda: 1)
  monkeypatch.setattr(
    workdirs.parallel, "everywhere", lambda value: np.array([True, value])
  )
  with pytest.raises(
    workdirs.WorkdirError, match=f"^Host 0 cannot use {tmp_path}"
  ):
    _open_and_close(tmp_path)
  assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
  ("path", "workdir"),
  [
    ("runs/x", "runs/x/eval/knn"),
    ("runs/x/checkpoints/", "runs/x/eval/knn"),
    ("runs/x/checkpoints/12", "runs/x/eval/knn"),
    ("random", "runs/eval/knn_random"),
  ],
)
def test_results_lie_beside_the_run(path, workdir):
  assert workdirs.of_evaluation(path, "knn") == workdir
