"""The command line: it trains, stops, goes on, and loses nothing.

All promises of bit-exactness are for the XLA flags that the program uses by
default, on the same number of CPU devices.
"""

import json
import shutil

import numpy as np
import pytest
import tiny

FINISH = {
  "evaluation__probe_images": 100,
  "evaluation__baselines": True,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
  """A run that nothing disturbs: where it is, and how it ended."""

  def make(folder):
    return tiny.run(folder / "unbroken", **FINISH)

  return tiny.made_once(tmp_path_factory, "end_to_end", make)


@pytest.fixture(scope="module")
def folder(made):
  """Holds the workdirs."""
  return made[0]


@pytest.fixture(scope="module")
def unbroken(made):
  """The workdir of that run and what it printed."""
  folder, (code, out, err) = made
  assert code == 0, err
  return folder / "unbroken", out, err


def _assert_same_run(workdir, expected):
  ours, theirs = tiny.state(workdir), tiny.state(expected)
  assert ours.keys() == theirs.keys()
  assert ours["step"] == 4
  for key, leaf in ours.items():
    np.testing.assert_array_equal(leaf, theirs[key], err_msg=key, strict=True)
  assert tiny.metrics(workdir) == tiny.metrics(expected)


def test_run_records_each_step_once(unbroken):
  lines = tiny.metrics(unbroken[0])
  assert [line["step"] for line in lines] == [1, 2, 3, 4]
  assert all(0.0 < line["loss"] < 20.0 for line in lines)
  evaluated = [line["step"] for line in lines if "test_knn_top1" in line]
  assert evaluated == [2, 4]


def test_run_writes_no_pickle(unbroken):
  files = [path for path in unbroken[0].rglob("*") if path.is_file()]
  names = {path.name for path in files}
  assert names >= {"metrics.jsonl", "summary.json", "_METADATA"}
  # The first byte of every pickle since protocol 2.
  assert [x for x in files if x.read_bytes()[:1] == b"\x80"] == []


def test_run_says_plainly_what_it_does(unbroken):
  lines = unbroken[2].splitlines()
  assert lines[:2] == [
    f"Beginning in {unbroken[0]}.",
    f"Each epoch leaves out {tiny.NUM_IMAGES % tiny.BATCH_SIZE} of"
    f" {tiny.NUM_IMAGES} images, which fill no batch of {tiny.BATCH_SIZE}.",
  ]
  assert all(line.startswith("step ") for line in lines[2:])
  assert lines[2].startswith("step 1/4, loss ")
  assert lines[-1].startswith("step 4: test_top1 0.")


def test_run_ends_with_the_table_and_the_checkpoint(unbroken):
  workdir, out, _ = unbroken
  lines = out.splitlines()
  assert lines[0].split() == ["knn_top1", "linear_top1"]
  assert [line[:16].strip() for line in lines[1:5]] == [
    "BYOL",
    "untrained",
    "pixels",
    "colour histogram",
  ]
  assert lines[5:] == [
    f"Checkpoint: {workdir}/checkpoints",
    f"Summary: {workdir}/summary.json",
  ]
  scores = json.loads((workdir / "summary.json").read_text())["scores"]
  assert f"{100.0 * scores['BYOL']['knn_top1']:.1f}" in lines[1]
  assert 0.0 < scores["pixels"]["linear_top1"] < 1.0


def test_a_finished_run_only_prints_its_summary(unbroken):
  workdir, out, _ = unbroken
  before = {path for path in workdir.rglob("*")}
  # It would die if it scored anything again.
  code, again, err = tiny.run(
    workdir, dies_in="byol_jax.evaluation.features:extract:1", **FINISH
  )
  assert (code, again) == (0, out)
  assert err == f"Found step 4 in {workdir}/checkpoints.\n"
  assert {path for path in workdir.rglob("*")} == before


def test_another_network_is_refused_in_one_sentence(unbroken):
  code, out, err = tiny.run(unbroken[0], network__projection_dim=4, **FINISH)
  assert (code, out) == (1, "")
  assert len(err.splitlines()) == 1
  assert err.startswith("byol_jax: Checkpoint 4 in ")
  assert "network.projection_dim is 8 there and 4 here" in err


def _die_and_go_on(workdir, dies_in, **settings):
  """Is killed, then runs to the end; what lay there between, and the table."""
  code, _, err = tiny.run(workdir, dies_in=dies_in, **settings)
  assert code == -9, err
  left = [path.name for path in workdir.glob("checkpoints/*")]
  code, out, err = tiny.run(workdir, **settings)
  assert code == 0, err
  return left, out


def test_a_run_killed_in_its_summary_ends_the_same(folder, unbroken):
  workdir = folder / "summary"
  dies_in = "byol_jax.evaluation.probe:linear_top1:2"
  _, out = _die_and_go_on(workdir, dies_in, **FINISH)
  _assert_same_run(workdir, unbroken[0])
  assert out.splitlines()[:5] == unbroken[1].splitlines()[:5]


@pytest.mark.slow
def test_a_run_killed_in_a_write_ends_the_same(folder, unbroken):
  """Of the other moments test_resume continues what a kill leaves."""
  workdir = folder / "in_a_write"
  dies_in = "orbax.checkpoint/StandardCheckpointHandler:finalize:3"
  left, _ = _die_and_go_on(workdir, dies_in)
  assert sorted(left) == ["1", "2", "3.orbax-checkpoint-tmp"]
  _assert_same_run(workdir, unbroken[0])


@pytest.mark.slow
def test_two_devices_end_the_same_after_a_kill(folder):
  """With TensorFlow's threads; test_resume has the other kinds of views."""
  settings = {
    "training__shard_state": True,
    "data__views": "device",
    # To compile colours and scores takes a while.
    "augment__set": "crop_only",
    "evaluation__knn_images": 0,
    "num_devices": 2,
  }
  expected, killed = folder / "two", folder / "two_killed"
  assert tiny.run(expected, **settings)[0] == 0
  _die_and_go_on(killed, "byol_jax.checkpoint:save:3", **settings)
  _assert_same_run(killed, expected)


@pytest.mark.slow
def test_a_longer_run_goes_on_and_says_what_changed(folder, unbroken):
  workdir = folder / "longer"
  shutil.copytree(unbroken[0], workdir)
  longer = tiny.epochs(6)
  code, _, err = tiny.run(workdir, training__num_epochs=longer, **FINISH)
  assert code == 0
  assert err.splitlines()[:2] == [
    f"Found step 4 in {workdir}/checkpoints.",
    "Continuing with changed settings: training.num_epochs"
    f" {tiny.epochs(4)} -> {tiny.epochs(6)}.",
  ]
  assert [line["step"] for line in tiny.metrics(workdir)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_init_from_takes_the_weights_of_another_run(folder, unbroken):
  workdir = folder / "from_another"
  # Nothing moves, so that the end shows where it began.
  code, _, err = tiny.run(
    workdir,
    quickly=True,
    init_from=unbroken[0],
    seed=1,
    augment__set="crop_only",
    training__num_epochs=tiny.epochs(1),
    optimizer__base_learning_rate=0.0,
    target__constant=True,
    target__base_decay=1.0,
  )
  assert code == 0, err
  ours, theirs = tiny.state(workdir), tiny.state(unbroken[0])
  taken = [key for key in ours if "/params/" in key and "classif" not in key]
  assert len(taken) > 20
  for key in taken:
    np.testing.assert_array_equal(ours[key], theirs[key], err_msg=key)
  classifier = "online/params/classifier/w"
  assert np.abs(ours[classifier] - theirs[classifier]).max() > 0.1
  assert ours["step"] == 1


@pytest.mark.slow
def test_init_from_another_network_is_refused(folder, unbroken):
  code, _, err = tiny.run(
    folder / "refused",
    quickly=True,
    init_from=unbroken[0],
    augment__set="crop_only",
    network__projection_dim=4,
  )
  assert code == 1
  assert err.splitlines()[-1] == (
    f"byol_jax: init_from={unbroken[0]} holds another network: predictor/linear"
    " has b [16], w [8, 16] there and b [16], w [4, 16] here."
  )
