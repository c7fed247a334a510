"""A dense run that was killed, or moved to other devices, ends the same."""

import json
import shutil

import numpy as np
import pytest

from byol_jax import checkpoint
from byol_jax.dense import segmentation, training
from byol_jax.evaluation import results
from tests import resuming, tiny, tiny_dense

# Two rates and then the better one, each of three steps that are saved.
SWEEP = {
  "optimizer__learning_rates": (0.1, 0.2),
  "data__hold_out_images": 2,
  "training__num_steps": 3,
}
MOMENTS = {
  "in_the_second_rate": resuming.Moment(checkpoint, "save", 6),
  "in_the_last_training": resuming.Moment(checkpoint, "save", 9),
  "before_the_results": resuming.Moment(results, "write", 1),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  root = tmp_path_factory.mktemp("pairs")
  tiny_dense.write(root)
  return root


@pytest.fixture(scope="module")
def watched(root, programs, tmp_path_factory):
  """A run that nothing disturbs, and copies from moments of it."""
  folder = tmp_path_factory.mktemp("watched")
  (folder / "unbroken").mkdir()
  with pytest.MonkeyPatch.context() as patch:
    _share(patch, programs)
    resuming.watch(patch, MOMENTS, folder / "unbroken", folder)
    tiny_dense.run(root, folder / "unbroken", **SWEEP)
  return folder


def _share(patch, programs):
  """Lets runs of one config share what was traced and compiled."""
  make_step, make = training._make_step, segmentation.make

  def known(name, make, *args):
    if name not in programs:
      programs[name] = make(*args)
    return programs[name]

  patch.setattr(
    training, "_make_step", lambda run, rate: known(rate, make_step, run, rate)
  )
  patch.setattr(segmentation, "make", lambda *args: known("task", make, *args))


@pytest.fixture(scope="module")
def programs():
  return {}


def _results(workdir):
  found = json.loads((workdir / "results.json").read_text())
  assert found.pop("wall_secs") > 0
  return found


def _steps(workdir):
  """Whole checkpoints, the last number of them by training."""
  return {
    place.parent.name: resuming.steps(place.parent)[-1:]
    for place in workdir.glob(f"*/*/{checkpoint.FOLDER}")
  }


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_kill_leaves_is_continued(
  watched, root, programs, monkeypatch, tmp_path, moment
):
  _share(monkeypatch, programs)
  workdir = tmp_path / "killed"
  shutil.copytree(watched / moment, workdir)
  tiny_dense.run(root, workdir, **SWEEP)
  ours, theirs = _results(workdir), _results(watched / "unbroken")
  assert ours == theirs
  assert len(ours["candidates"]) == 2
  trained = (x / ours["checkpoint"] for x in (workdir, watched / "unbroken"))
  resuming.assert_same_state(*trained)


def test_the_copies_are_of_their_moments(watched):
  found = {name: _steps(watched / name) for name in MOMENTS}
  assert found["in_the_second_rate"] in ({"rate_0.2": [x]} for x in (1, 2))
  assert found["in_the_last_training"] in ({"train": [x]} for x in (1, 2))
  assert found["before_the_results"] == {"train": [3]}


def test_one_device_agrees_with_two(root, tmp_path, monkeypatch):
  several = tiny_dense.run(root, tmp_path / "two")
  resuming.use_devices(monkeypatch, 1)
  one = tiny_dense.run(root, tmp_path / "one")
  place = tmp_path / "one" / one["checkpoint"]
  ours, theirs = map(
    tiny.state, (place, tmp_path / "two" / several["checkpoint"])
  )
  before = tiny.state(place / checkpoint.FOLDER / "1")
  moved = [np.abs(ours[key] - before[key]).max() for key in ours if "/w" in key]
  assert min(moved) > 1e-3
  assert ours.keys() == theirs.keys()
  for key, leaf in ours.items():
    np.testing.assert_allclose(
      leaf, theirs[key], rtol=1e-4, atol=1e-5, err_msg=key
    )
  assert one["scores"] == pytest.approx(several["scores"], abs=0.02)
