"""What is there already, what fails, and what is told to stop."""

import functools
import json
import os
import pathlib
import shlex
import subprocess
import sys

import fake_runs
import pytest
from fake_runs import BYOL, NO_TARGET, QUOTED, experiment, flag

from byol_jax import health
from experiments import (
  configured,
  execute,
  figures,
  plan,
  processes,
  results,
  runner,
  scales,
)
from experiments.declare import Column

DESK = scales.SCALES["desk"]
TWO = (
  Column("top1", "top-1"),
  Column("few", "few labels", evaluation="finetune_1percent"),
)
SWEEP = "byol_jax: Every point of the sweep diverged: lower optimizer.learning"


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
  monkeypatch.setattr(figures, "scores", lambda *arguments: None)
  monkeypatch.setattr(figures, "save", lambda *arguments: None)


@pytest.fixture
def call(tmp_path):
  return functools.partial(fake_runs.call, tmp_path)


@pytest.fixture
def lines(tmp_path):
  return functools.partial(fake_runs.lines, tmp_path)


def _printed(call, capsys, *experiments, **fields):
  """What `--print` gives, in lists."""
  call(*experiments, more=["--print"], **fields)
  return [
    shlex.split(text)[1:] for text in capsys.readouterr().out.splitlines()
  ]


def _by_hand(commands_):
  """Does what printed commands would do."""
  made = fake_runs.Processes()
  for arguments in commands_:
    made(arguments, None, None)
    if "/eval/" not in flag(arguments, "config"):
      workdir = pathlib.Path(flag(arguments, "workdir"))
      (workdir / "summary.json").write_text("{}")


@pytest.mark.parametrize(("by_hand", "left"), [(3, 0), (2, 1), (1, 2), (0, 3)])
def test_what_was_made_by_hand_is_gathered(call, lines, capsys, by_hand, left):
  made = experiment(BYOL, columns=TWO)
  wanted = _printed(call, capsys, made)
  assert len(wanted) == 3
  _by_hand(wanted[:by_hand])
  code, fake = call(made)
  assert code == 0
  assert fake.commands == wanted[by_hand:]
  assert len(fake.commands) == left
  assert [line["columns"] for line in lines()] == [["top1"], ["few"]]
  assert all(line["statistics"] == {"loss": 0.02} for line in lines())


def test_results_are_gathered_where_no_encoder_is_left(call, lines, capsys):
  wanted = _printed(call, capsys, experiment(BYOL))
  _by_hand(wanted[1:])
  _, fake = call(experiment(BYOL))
  assert fake.commands == []
  assert lines()[0]["pretraining_secs"] is None
  assert lines()[0]["wall_secs"] == 1.0


def test_print_gives_what_is_missing_and_writes_nothing(call, tmp_path, capsys):
  assert len(_printed(call, capsys, experiment(BYOL))) == 2
  assert list(tmp_path.iterdir()) == []
  call(experiment(BYOL))
  capsys.readouterr()
  two = experiment(BYOL, NO_TARGET, name="two")
  printed = _printed(call, capsys, two)
  assert len(printed) == 2
  assert "--config.target.kind=stop_gradient" in printed[0]
  assert not (tmp_path / "results" / "desk" / "two.jsonl").exists()


def test_seconds_are_kept_apart_and_added_up_over_restarts(
  call, lines, monkeypatch
):
  now = iter(range(0, 10_000, 100))
  monkeypatch.setattr(execute.time, "monotonic", lambda: next(now))
  full = processes.Outcome(1, "byol_jax: The disk is full.")
  call(experiment(BYOL), codes={"cifar10.py": full})
  call(experiment(BYOL, columns=TWO))
  found = [
    [line[f"{name}_secs"] for name in ("pretraining", "evaluation", "wall")]
    for line in lines()
  ]
  assert found == [[200.0, 100.0, 300.0]] * 2
  assert results.seconds(lines()) == 400.0
  old = {"digest": "of an older line", "wall_secs": 50.0}
  assert results.seconds([*lines(), *lines(), old, old]) == 450.0


def test_an_untrained_encoder_takes_no_time_from_a_trained_one():
  one = {"config": "x", "overrides": {}, "seed": 0, "wall_secs": 60.0}
  one |= {"pretraining_secs": 50.0, "evaluation_secs": 10.0}
  one |= {"digest": "a", "encoder": "trained"}
  other = {**one, "digest": "b", "encoder": "random", "wall_secs": 10.0}
  other |= {"pretraining_secs": 0.0}
  assert results.seconds([one, other]) == 70.0


@pytest.mark.parametrize(
  "message",
  [
    *(
      f"{health._what({'loss': float(x)})} at step 7: lower the learning rate"
      for x in ("nan", "inf")
    ),
    "online/w is not finite at step 7: lower the learning rate",
    SWEEP,
  ],
)
def test_a_loss_that_is_not_finite_is_divergence(message):
  assert execute.has_diverged(f"byol_jax: {message}")


def test_other_failures_are_not_divergence():
  assert not execute.has_diverged("byol_jax: training.batch_size is nan.")


def test_the_sweeps_sentence_is_that_of_the_evaluation():
  source = pathlib.Path(execute.__file__).parents[1]
  text = (source / "byol_jax" / "evaluation" / "sweep.py").read_text()
  assert SWEEP.removeprefix("byol_jax: ") in text


def test_an_evaluation_may_diverge(call, lines):
  code, _ = call(
    experiment(BYOL), codes={"eval/linear.py": processes.Outcome(1, SWEEP)}
  )
  assert (code, lines()[0]["status"]) == (0, "diverged")
  assert lines()[0]["statistics"] == {"loss": 0.02}


def test_a_killed_run_names_the_signal_and_its_log(call, tmp_path, capsys):
  killed = processes.Outcome(-9, "step 12 of 100")
  code, fake = call(experiment(BYOL), codes={"cifar10.py": killed})
  log = pathlib.Path(flag(fake.commands[0], "workdir")) / "log.txt"
  assert code == 1
  assert f"killed by signal 9; see {log}" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["results", "runs"])
def test_a_folder_that_is_a_file_is_refused_before_any_run(
  call, name, tmp_path
):
  (tmp_path / "file").touch()
  with pytest.raises(ValueError, match=rf"--{name}=.*file cannot be written"):
    call(experiment(BYOL), more=[f"--{name}={tmp_path / 'file'}"])


def test_results_of_a_folder_are_not_those_of_tfds(call, lines, tmp_path):
  for part in ("train", "test"):
    (tmp_path / "data" / part).mkdir(parents=True)
  folder = [f"--data={tmp_path / 'data'}"]
  counts = [
    len(call(experiment(BYOL), more=x)[1].commands) for x in ([], folder)
  ]
  assert counts == [2, 2]
  assert [line["data"] for line in lines()] == ["TFDS", "folder"]
  assert call(experiment(BYOL), more=folder)[1].commands == []


def test_an_old_line_without_its_data_fits(call, lines, tmp_path):
  call(experiment(BYOL))
  (line,) = lines()
  del line["data"], line["pretraining_secs"], line["evaluation_secs"]
  file = tmp_path / "results" / "desk" / "one.jsonl"
  file.write_text('{"row": "BYOL"}\n' + json.dumps(line) + "\n")
  assert call(experiment(BYOL))[1].commands == []


def test_another_meaning_of_a_preset_is_run_again(call, lines, monkeypatch):
  call(experiment(BYOL))
  (line,) = lines()
  (cell,) = plan.cells(experiment(BYOL), DESK, (0,))
  assert results.answers(line, cell.evaluation, "TFDS")
  kept = configured._load("configs/cifar10.py:desk")
  other = kept.copy_and_resolve_references()
  other.training.warmup_epochs = kept.training.warmup_epochs + 1.0
  load = configured._load
  monkeypatch.setattr(
    configured,
    "_load",
    lambda name: other if "cifar10" in name else load(name),
  )
  plan.settings.cache_clear()
  assert plan.digest(cell.evaluation) == line["digest"]
  assert not results.answers(line, cell.evaluation, "TFDS")
  _, fake = call(experiment(BYOL))
  plan.settings.cache_clear()
  assert len(fake.commands) == 2


@pytest.mark.parametrize(
  ("row", "message"),
  [
    ("neither", "neither: It is only quoted."),
    ("predictor only", "predictor only: Too large."),
  ],
)
def test_a_row_that_is_not_run_says_why(call, row, message):
  rows = (BYOL, QUOTED, NO_TARGET._replace(missing={"desk": "Too large."}))
  with pytest.raises(ValueError, match=message):
    call(experiment(*rows), more=[f"--rows={row}"])


def test_a_pipe_that_closes_ends_print_quietly(monkeypatch, capfd):
  reader, writer = os.pipe()
  os.close(reader)
  program = (
    "import sys; sys.path.insert(0, 'tests'); import fake_runs as f\n"
    "from experiments import runner\n"
    "runner.main([f.experiment(f.BYOL)])"
  )
  with os.fdopen(writer, "w") as out:
    done = subprocess.run(
      [sys.executable, "-c", program, "--scale=desk", "--print"],
      cwd=pathlib.Path(runner.__file__).parents[1],
      stdout=out,
      stderr=subprocess.PIPE,
      text=True,
    )
  assert (done.returncode, done.stderr) == (1, "")
