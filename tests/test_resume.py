"""Killed at any moment, the same command ends with the same parameters.

To the bit, on the same devices, whatever the settings; on another number of
devices with the same pictures and nearly the same parameters. One run is
watched and what a kill would have left is continued (see `resuming`); the
kills of test_end_to_end are real ones.
"""

import shutil

import jax
import numpy as np
import pytest
import tiny

from byol_jax import checkpoint, grids, inputs, parallel, pretrain
from byol_jax.evaluation import summary
from tests import resuming

# Each random draw and each operation on colours is time for the compiler.
SETTINGS = {
  "augment__set": "crop_only",
  "network__projector_hidden": (),
  "network__predictor_hidden": (),
  "evaluation__knn_images": 0,
}

# Every two values of two settings that differ come together somewhere in
# resume_matrix; here each comes at least once.
COMBINATIONS = {
  "memory": {
    "data__labelled": False,
    "training__micro_batches": 2,
    "objective__negatives": "queue",
    "objective__queue_size": 2 * tiny.BATCH_SIZE,
    "objective__negative_weight": 0.5,
    "optimizer__name": "sgd",
    "optimizer__base_learning_rate": 0.1,
  },
  "device": {
    "data__views": "device",
    "data__labelled": False,
    "augment__set": "baseline",
    "optimizer__name": "lars",
  },
  "host": {
    "data__views": "host",
    "augment__set": "baseline",
    "optimizer__name": "adamw",
    "optimizer__base_learning_rate": 0.01,
    "training__micro_batches": 2,
  },
}


def _run(workdir, views=False, **changes):
  config = tiny.config(**{**SETTINGS, **changes})
  extras = pretrain.Extras(views=views)
  pretrain.run(config, inputs.open_inputs(config), str(workdir), extras)


@pytest.fixture(scope="module")
def patch():
  with pytest.MonkeyPatch.context() as patch:
    resuming.compile_once(patch)
    yield patch


@pytest.fixture(scope="module")
def watched(patch, tmp_path_factory):
  """A run that nothing disturbs, and copies from many moments of it."""
  folder = tmp_path_factory.mktemp("watched")
  with pytest.MonkeyPatch.context() as patch:
    resuming.watch(patch, resuming.PRETRAINING, folder / "unbroken", folder)
    _run(folder / "unbroken")
  return folder


def test_the_copies_are_of_their_moments(watched):
  found = {name: resuming.steps(watched / name) for name in MOMENTS}
  assert found["in_the_first_compilation"] == []
  assert found["before_the_first_checkpoint"] == []
  assert found["in_a_write"] == [1, 2]
  assert found["as_the_summary_is_written"] == [3, 4]
  drafts = (watched / "in_a_write").glob("checkpoints/3*-tmp/state*/**/*")
  assert sum(path.is_file() for path in drafts) > 1
  assert resuming.steps(watched / "unbroken") == [3, 4]
  lines = {name: _num_lines(watched / name) for name in MOMENTS}
  assert lines["in_an_evaluation"] == 1
  assert lines["before_a_record"] == 2
  assert lines["in_the_last_evaluation"] == 3
  assert not list(watched.glob("*_*/summary.json"))


def _num_lines(workdir):
  path = workdir / "metrics.jsonl"
  return len(path.read_text().splitlines()) if path.exists() else 0


MOMENTS = tuple(resuming.PRETRAINING)


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_kill_leaves_is_continued(watched, moment, tmp_path):
  workdir = tmp_path / "killed"
  shutil.copytree(watched / moment, workdir)
  _run(workdir)
  resuming.assert_same_run(workdir, watched / "unbroken")


def test_half_written_files_are_made_anew(watched, tmp_path):
  workdir = tmp_path / "killed"
  shutil.copytree(watched / "in_a_write", workdir)
  assert resuming.tear(workdir) > 1
  _run(workdir)
  resuming.assert_same_run(workdir, watched / "unbroken")


def test_a_half_removed_checkpoint_does_no_harm(watched, tmp_path):
  workdir = tmp_path / "killed"
  shutil.copytree(watched / "in_a_write", workdir)
  shutil.rmtree(workdir / checkpoint.FOLDER / "1" / "config")
  _run(workdir)
  resuming.assert_same_run(workdir, watched / "unbroken")


@pytest.mark.parametrize(
  ("moment", "has_some", "num_lines"),
  [
    ("before_the_first_checkpoint", True, [1]),  # Of other settings maybe.
    ("in_a_write", False, [3]),
    ("in_a_write", True, []),
    ("before_the_summary", False, [4]),
  ],
)
def test_views_are_shown_once_after_a_record(
  watched, monkeypatch, tmp_path, moment, has_some, num_lines
):
  """Also where a kill came before them; those of an earlier call stay."""
  workdir, drawn = tmp_path / "killed", []
  shutil.copytree(watched / moment, workdir)
  image = np.zeros((1, 8, 8, 3), np.float32)

  def draw(*arguments):
    drawn.append(_num_lines(workdir))
    return grids.Grid((), image, image[:, None], image[:, None])

  monkeypatch.setattr(grids, "draw", draw)
  if has_some:
    grids.show(None, 0, str(workdir))
    drawn.clear()
  _run(workdir, views=True)
  assert drawn == num_lines
  assert list((workdir / "tensorboard").glob("*pictures"))


def _leave_scores_out(patch):
  """Instead of an evaluation, a number that tells one state from another."""

  def scores(variables):
    leaves = jax.tree.leaves(parallel.first(variables))
    return {"size": float(sum(np.abs(leaf).sum() for leaf in leaves))}

  patch.setattr(summary, "make_scores", lambda *args: scores)


@pytest.mark.parametrize("name", COMBINATIONS)
def test_any_settings_continue(patch, monkeypatch, tmp_path, name):
  _leave_scores_out(monkeypatch)
  moments = {"killed": resuming.Moment(checkpoint, "save", 3)}
  resuming.watch(monkeypatch, moments, tmp_path / "unbroken", tmp_path)
  _run(tmp_path / "unbroken", **COMBINATIONS[name])
  steps = resuming.steps(tmp_path / "killed")
  assert steps
  assert steps[-1] <= 2
  _run(tmp_path / "killed", **COMBINATIONS[name])
  resuming.assert_same_run(tmp_path / "killed", tmp_path / "unbroken")


# Three steps that move far enough for 1e-5 to tell something.
ELSEWHERE = {
  **SETTINGS,
  "optimizer__trust_coefficient": 0.05,
  "target__base_decay": 0.5,
  "training__num_epochs": tiny.epochs(4),
  "evaluation__every_epochs": 0.0,
  "checkpoint__keep": 4,
}


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
  """A run on one device, which keeps every checkpoint."""
  workdir = tmp_path_factory.mktemp("devices") / "one"
  with pytest.MonkeyPatch.context() as patch:
    resuming.use_devices(patch, 1)
    _leave_scores_out(patch)
    _run(workdir, **ELSEWHERE)
  return workdir


def _only_first(workdir, place):
  """What is left of a run that was killed after its first step."""
  step = place / checkpoint.FOLDER / "1"
  shutil.copytree(workdir / checkpoint.FOLDER / "1", step)
  return place


def _assert_near(workdir, expected, began_at):
  ours, theirs, before = map(tiny.state, (workdir, expected, began_at))
  moved = [np.abs(theirs[k] - before[k]).max() for k in ours if "/w" in k]
  assert len(moved) >= 10
  assert sorted(moved)[len(moved) // 2] > 1e-3
  for key, leaf in ours.items():
    np.testing.assert_allclose(
      leaf, theirs[key], rtol=1e-5, atol=1e-5, err_msg=key
    )
  for line, other in zip(
    tiny.metrics(workdir), tiny.metrics(expected)[1:], strict=True
  ):
    assert line["loss"] == pytest.approx(other["loss"], rel=1e-5)


@pytest.mark.slow
def test_four_devices_continue_what_one_began(one_device, tmp_path):
  workdir = _only_first(one_device, tmp_path / "four")
  code, _, err = tiny.run(workdir, num_devices=4, **ELSEWHERE)
  assert code == 0, err
  assert err.startswith("Found step 1 in ")
  _assert_near(workdir, one_device, _only_first(one_device, tmp_path / "1"))
