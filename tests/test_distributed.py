"""Two processes of two CPU devices, which share states, against one of four."""

import json
import shutil
import socket

import numpy as np
import pytest
import tiny

# Three steps; all that the hosts do together happens, checkpoints included.
SETTINGS = {
  "quickly": True,
  "augment__set": "crop_only",
  "training__num_epochs": tiny.epochs(3),
  # Far enough that 1e-5 tells something.
  "optimizer__trust_coefficient": 0.05,
  "target__base_decay": 0.5,
  "evaluation__every_epochs": 0.0,
  "evaluation__probe_images": 100,
  "evaluation__baselines": True,
  "checkpoint__keep": 3,
}


def _free_port():
  with socket.socket() as one:
    one.bind(("127.0.0.1", 0))
    return one.getsockname()[1]


def _run_two(workdir, **changes):
  """Runs both processes to the end; the code and texts of each."""
  address = f"--coordinator_address=127.0.0.1:{_free_port()}"
  processes = [
    tiny.start(
      workdir,
      address,
      "--num_processes=2",
      f"--process_id={number}",
      num_devices=2,
      **SETTINGS,
      training__shard_state=True,
      **changes,
    )
    for number in range(2)
  ]
  return [tiny.finish(process) for process in processes]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
  """One process of four devices, two of two; they keep every checkpoint."""

  def make(folder):
    one = tiny.run(folder / "one", num_devices=4, **SETTINGS)
    return one, _run_two(folder / "two")

  return tiny.made_once(tmp_path_factory, "distributed", make)


@pytest.fixture(scope="module")
def folder(made):
  return made[0]


@pytest.fixture(scope="module")
def one(made):
  folder, ((code, _, err), _) = made
  assert code == 0, err
  return folder / "one"


@pytest.fixture(scope="module")
def two(made):
  folder, (_, results) = made
  assert [code for code, _, _ in results] == [0, 0], results
  return folder / "two", results


def _after_one_step(folder, workdir):
  step = folder / "first" / "checkpoints" / "1"
  shutil.copytree(workdir / "checkpoints" / "1", step)
  return tiny.state(folder / "first")


@pytest.mark.slow
def test_two_processes_equal_one(folder, one, two):
  ours, theirs = tiny.state(two[0]), tiny.state(one)
  before = _after_one_step(folder, one)
  assert ours.keys() == theirs.keys()
  assert ours["step"] == 3
  weights = [key for key in ours if "/params/" in key and key.endswith("/w")]
  assert len([key for key in weights if key.startswith("target/")]) >= 5
  for key in weights:
    assert np.abs(ours[key] - before[key]).max() > 1e-4, key
  momentum = [key for key in ours if "/trace/" in key]
  assert all(np.abs(ours[key]).max() > 0.0 for key in momentum if "/w" in key)
  for key, leaf in ours.items():
    np.testing.assert_allclose(
      leaf, theirs[key], rtol=1e-5, atol=1e-5, err_msg=key
    )


@pytest.mark.slow
def test_two_processes_record_the_same_metrics(one, two):
  ours, theirs = tiny.metrics(two[0]), tiny.metrics(one)
  assert [line["step"] for line in ours] == [1, 2, 3]
  for line, expected in zip(ours, theirs, strict=True):
    assert line == pytest.approx(expected, rel=1e-3)
  events = list((two[0] / "tensorboard").iterdir())
  assert len(events) == 1


@pytest.mark.slow
def test_two_processes_score_each_picture_once(one, two):
  ours, theirs = (
    json.loads((workdir / "summary.json").read_text())["scores"]
    for workdir in (two[0], one)
  )
  assert ours["pixels"] == theirs["pixels"]
  assert ours["colour histogram"] == theirs["colour histogram"]


@pytest.mark.slow
def test_only_host_0_speaks(two):
  (_, out0, err0), (_, out1, err1) = two[1]
  assert "colour histogram" in out0
  assert err0.startswith("Beginning in ")
  assert "Checkpoint" not in out1
  assert err1 == ""


@pytest.mark.slow
def test_two_processes_continue(folder, one, two):
  """From a checkpoint of one process, with the same pictures."""
  del two  # What it compiled is used again.
  shorter = folder / "continued"
  settings = {**SETTINGS, "evaluation__probe_images": 0}
  code, _, err = tiny.run(
    shorter,
    num_devices=4,
    dies_in="byol_jax.checkpoint:save:3",
    **settings,
  )
  assert code == -9, err
  results = _run_two(shorter)
  assert [code for code, _, _ in results] == [0, 0], results
  assert results[0][2].startswith("Found step ")
  ours, theirs = tiny.state(shorter), tiny.state(one)
  for key, leaf in ours.items():
    np.testing.assert_allclose(
      leaf, theirs[key], rtol=1e-5, atol=1e-5, err_msg=key
    )
