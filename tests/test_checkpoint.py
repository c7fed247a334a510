import errno
import json
import os
import shutil
import threading
import time
import types as types_lib
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from jax.experimental import multihost_utils

from byol_jax import checkpoint, storage, types


class State(NamedTuple):
  step: Any
  online: types.Variables
  opt_state: Any


class Trace(NamedTuple):
  trace: Any


CONFIG = json.dumps({"seed": 3, "training": {"batch_size": 8}})


def _state(step, width=4):
  weights = {"net/~/conv": {"w": np.arange(3 * width, dtype=np.float32) + step}}
  return State(
    step=np.int32(step),
    online=types.Variables(params=weights, stats={}),
    opt_state=(Trace(trace=weights), (), np.full((2, 2), step, np.int32)),
  )


def _abstract(state):
  return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), state)


def _save_steps(folder, steps, keep=10):
  manager = checkpoint.open_manager(str(folder), keep)
  for step in steps:
    checkpoint.save(manager, step, _state(step), CONFIG)
  manager.close()


def _restore(folder, like=None):
  """Of the newest checkpoint."""
  like = like or _abstract(_state(0))
  with checkpoint.open_manager(str(folder), keep=10) as manager:
    return checkpoint.restore_newest(manager, like, CONFIG)


def _newest(manager):
  return checkpoint.restore_newest(manager, _abstract(_state(0)), CONFIG)


@pytest.fixture
def open_manager(tmp_path):
  opened = []

  def open_one(keep=10):
    opened.append(checkpoint.open_manager(str(tmp_path / "checkpoints"), keep))
    return opened[-1]

  yield open_one
  for manager in opened:
    manager.close()


def test_restore_gives_back_the_same_tuple(open_manager):
  manager = open_manager()
  checkpoint.save(manager, 7, _state(7), CONFIG)
  manager.wait_until_finished()
  restored = _newest(manager).state
  assert jax.tree.structure(restored) == jax.tree.structure(_state(7))
  for ours, saved in zip(
    jax.tree.leaves(restored), jax.tree.leaves(_state(7)), strict=True
  ):
    np.testing.assert_array_equal(ours, saved, strict=True)


def test_save_copies_before_it_returns(open_manager):
  manager = open_manager()
  state = _state(1)
  checkpoint.save(manager, 1, state, CONFIG)
  state.opt_state[2][:] = -1
  manager.wait_until_finished()
  restored = _newest(manager).state
  np.testing.assert_array_equal(restored.opt_state[2], 1)


def test_the_newest_is_found_by_the_next_run(tmp_path):
  _save_steps(tmp_path, [2, 9, 10])
  assert _restore(tmp_path).step == 10


def test_save_keeps_the_newest(tmp_path):
  _save_steps(tmp_path, [1, 2, 3, 4], keep=2)
  assert sorted(os.listdir(tmp_path)) == ["3", "4"]


def test_save_does_not_repeat_a_step(open_manager):
  manager = open_manager()
  checkpoint.save(manager, 5, _state(5), CONFIG)
  checkpoint.save(manager, 5, _state(6), CONFIG)
  manager.wait_until_finished()
  restored = _newest(manager).state
  assert restored.step == 5


def test_a_step_killed_while_written_is_ignored(tmp_path):
  unfinished = "9.orbax-checkpoint-tmp"
  _save_steps(tmp_path, [1, 2])
  shutil.copytree(tmp_path / "2", tmp_path / unfinished)
  os.remove(tmp_path / unfinished / "commit_success.txt")
  manager = checkpoint.open_manager(str(tmp_path), keep=10)
  assert _newest(manager).step == 2
  checkpoint.save(manager, 3, _state(3), CONFIG)
  manager.wait_until_finished()
  restored = _newest(manager).state
  manager.close()
  assert restored.step == 3
  assert sorted(os.listdir(tmp_path)) == ["1", "2", "3"]


def test_restore_names_the_shapes_that_differ(tmp_path):
  _save_steps(tmp_path, [1])
  like = _abstract(_state(0, width=5))
  message = (
    r"^Checkpoint 1 in .*: online/params/net/~/conv/w is float32\[12\] "
    r"there and float32\[15\] here; opt_state/0/trace/net/~/conv/w is "
  )
  with pytest.raises(ValueError, match=message):
    _restore(tmp_path, like)


def test_restore_names_the_keys_that_differ(tmp_path):
  _save_steps(tmp_path, [1])
  state = _state(0)
  other = {"net/~/other": state.online.params["net/~/conv"]}
  like = _abstract(state._replace(online=types.Variables(other, {})))
  message = (
    "it lacks online/params/net/~/other/w; "
    "it has online/params/net/~/conv/w, unknown here"
  )
  with pytest.raises(ValueError, match=message):
    _restore(tmp_path, like)


def test_config_and_versions_lie_beside_the_state(tmp_path):
  _save_steps(tmp_path, [1])
  text = (tmp_path / "1" / "config" / "metadata").read_text()
  origin = json.loads(text)
  assert origin["config"] == json.loads(CONFIG)
  assert origin["versions"]["jax"] == jax.__version__
  assert "commit" in origin["versions"]


@pytest.mark.parametrize("inner", ["", checkpoint.FOLDER])
def test_load_params_reads_a_workdir_and_its_checkpoints(tmp_path, inner):
  _save_steps(tmp_path / checkpoint.FOLDER, [1, 2])
  tree, config = checkpoint.load_params(str(tmp_path / inner))
  saved = _state(2).online.params["net/~/conv"]["w"]
  loaded = tree["online"]["params"]["net/~/conv"]["w"]
  np.testing.assert_array_equal(loaded, saved, strict=True)
  assert config == json.loads(CONFIG)


def test_load_params_refuses_a_path_without_checkpoints(tmp_path):
  with pytest.raises(ValueError, match=r"missing is not a folder with"):
    checkpoint.load_params(str(tmp_path / "missing"))
  with pytest.raises(ValueError, match="no finished checkpoint in"):
    checkpoint.load_params(str(tmp_path))


def test_no_pickle_is_written(tmp_path):
  _save_steps(tmp_path, [1])
  files = [path for path in tmp_path.rglob("*") if path.is_file()]
  assert files
  assert not [path for path in files if path.read_bytes()[:1] == b"\x80"]


def _fails_in_background(manager, monkeypatch):
  """Lets the file of the settings fail, as on a full disk."""

  async def refuse(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

  monkeypatch.setattr(ocp.JsonCheckpointHandler, "_save_fn", refuse)
  checkpoint.save(manager, 2, _state(2), CONFIG)


@pytest.mark.parametrize("name", ["save", "wait", "close"])
def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch, name):
  _save_steps(tmp_path, [1])
  manager = checkpoint.open_manager(str(tmp_path), keep=10)
  _fails_in_background(manager, monkeypatch)
  after = {
    "save": lambda: checkpoint.save(manager, 3, _state(3), CONFIG),
    "wait": manager.wait_until_finished,
    "close": manager.close,
  }
  message = (
    f"^A checkpoint in {tmp_path} cannot be written: No space left on device;"
    r" those before it are untouched, and .*\.$"
  )
  with pytest.raises(checkpoint.CheckpointError, match=message):
    after[name]()
  manager.close()
  monkeypatch.undo()
  assert _restore(tmp_path).step == 1


def test_a_folder_that_cannot_be_made_leaves_no_threads(tmp_path, monkeypatch):
  manager = checkpoint.open_manager(str(tmp_path), keep=10)
  before = threading.active_count()

  def refuse(*_, **__):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))

  monkeypatch.setattr(os, "mkdir", refuse)
  monkeypatch.setattr(os, "makedirs", refuse)
  with pytest.raises(ValueError, match="Read-only file system; those before"):
    checkpoint.save(manager, 1, _state(1), CONFIG)
  monkeypatch.undo()
  deadline = time.monotonic() + 20.0
  while threading.active_count() > before and time.monotonic() < deadline:
    time.sleep(0.01)
  assert threading.active_count() <= before
  manager.close()


def test_saving_never_asks_jax_whether_to_stop(open_manager, monkeypatch):
  """The hosts agree on a number of `stopping`, and would miss that of Orbax."""

  def ask(step):
    raise AssertionError(f"asked with {step}")

  monkeypatch.setattr(multihost_utils, "reached_preemption_sync_point", ask)
  manager = open_manager()
  checkpoint.save(manager, 7, _state(7), CONFIG)
  manager.wait_until_finished()
  assert manager.latest_step() == 7


def _unraisable(error):
  """As Python hands it over, which has no way to make one."""
  return types_lib.SimpleNamespace(exc_value=error)


@pytest.mark.parametrize(
  ("error", "is_said"),
  [
    (RuntimeError("Event loop is closed"), False),
    (RuntimeError("Event loop is closed again"), True),
    (OSError("Event loop is closed"), True),
  ],
)
def test_only_late_calls_of_a_closed_loop_are_left_out(error, is_said):
  said = []
  storage._unless_late(said.append, _unraisable(error))
  assert bool(said) == is_said
