"""Killed at any moment, the same evaluation ends with the same results."""

import json
import shutil

import pytest

from byol_jax import evaluate
from tests import resuming, tiny_eval

CLASSIFY = {"checkpoint.every_steps": 1}
# Name of the config, and what differs from it.
KINDS = {
  "frozen": ("linear", {**CLASSIFY, "training.num_epochs": (0.5,)}),
  "features_once": ("linear", {**CLASSIFY, "augment.kind": "none"}),
  "finetune": ("finetune", {**CLASSIFY, "optimizer.learning_rates": (0.1,)}),
  "knn": ("knn", {}),
  "logistic": ("logistic", {"logistic.num_strengths": 2}),
}
CONTINUED = (
  ("frozen", "in_an_evaluation"),
  ("features_once", "before_the_first_checkpoint"),
  ("features_once", "in_a_write"),
  ("features_once", "before_the_results"),
  ("finetune", "before_the_results"),
  ("knn", "in_the_features"),
  ("knn", "as_the_results_are_written"),
  ("logistic", "in_the_features"),
)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("run")
  tiny_eval.save_encoder(workdir)
  return workdir


def _run(kind, encoder, workdir):
  name, changes = KINDS[kind]
  config = tiny_eval.config(name, encoder, changes=changes)
  found, config = evaluate.find(config)
  evaluate.run(config, found, str(workdir), name)


def _results(workdir):
  """What was found, without what may differ: the time it took."""
  found = json.loads((workdir / "results.json").read_text())
  assert found.pop("wall_secs") > 0
  return found


@pytest.fixture(scope="module")
def watched(encoder, tmp_path_factory):
  """Runs each kind once, and copies its workdir at many moments."""
  done = {}

  def folder_of(kind):
    if kind not in done:
      done[kind] = tmp_path_factory.mktemp(kind)
      frozen = kind in ("knn", "logistic")
      moments = resuming.FROZEN if frozen else resuming.CLASSIFYING
      place = done[kind] / "unbroken"
      place.mkdir()
      with pytest.MonkeyPatch.context() as patch:
        resuming.watch(patch, moments, place, done[kind])
        _run(kind, encoder, place)
    return done[kind]

  return folder_of


@pytest.mark.parametrize(("kind", "moment"), CONTINUED)
def test_what_a_kill_leaves_is_continued(
  watched, encoder, tmp_path, kind, moment
):
  folder, workdir = watched(kind), tmp_path / "killed"
  shutil.copytree(folder / moment, workdir)
  assert not (workdir / "results.json").exists()
  _run(kind, encoder, workdir)
  ours, theirs = _results(workdir), _results(folder / "unbroken")
  assert ours == theirs
  assert max(ours["scores"].values()) > 0.2
  if "checkpoint" in ours:
    trained = [x / ours["checkpoint"] for x in (workdir, folder / "unbroken")]
    resuming.assert_same_state(*trained)


def test_the_copies_are_of_their_moments(watched):
  folder = watched("features_once")
  found = {
    moment: sorted(
      int(path.name)
      for path in (folder / moment).glob("*/*/checkpoints/*")
      if path.name.isdigit()
    )
    for moment in resuming.CLASSIFYING
  }
  assert found["before_the_first_checkpoint"] == []
  assert found["in_a_write"] == [1]
  assert 0 < found["in_an_evaluation"][-1] < found["before_the_results"][-1]
