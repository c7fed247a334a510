import functools
import json
import os
import re
import shlex

import fake_runs
import pytest
from absl import flags
from fake_runs import BYOL, NO_TARGET, QUOTED, Processes, experiment, flag

from byol_jax import main
from experiments import figures, processes, results, runner

NAN = processes.Outcome(
  1, "byol_jax: The loss is nan at step 7: lower the rate."
)
BROKEN = processes.Outcome(1, "byol_jax: The disk is full.")


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
  """They take most of the time; tests/test_report.py draws them."""
  monkeypatch.setattr(figures, "scores", lambda *arguments: None)
  monkeypatch.setattr(figures, "save", lambda *arguments: None)


@pytest.fixture
def call(tmp_path):
  return functools.partial(fake_runs.call, tmp_path)


@pytest.fixture
def lines(tmp_path):
  return functools.partial(fake_runs.lines, tmp_path)


def test_every_row_is_trained_and_evaluated(call, lines):
  code, fake = call(experiment(BYOL, NO_TARGET, QUOTED), seeds="0,1")
  assert code == 0
  assert len(fake.trained()) == 4
  assert len(fake.commands) == 8
  assert {(x["row"], x["seed"]) for x in lines()} == {
    ("BYOL", 0),
    ("BYOL", 1),
    ("predictor only", 0),
    ("predictor only", 1),
  }


def test_an_evaluation_gets_the_encoder_that_was_trained(call):
  _, fake = call(experiment(BYOL))
  trained, evaluated = fake.commands
  assert flag(evaluated, "config.encoder") == flag(trained, "workdir")


def test_a_line_says_what_was_run_and_no_path(call, lines, tmp_path):
  call(experiment(NO_TARGET))
  (line,) = lines()
  assert line["status"] == "done"
  assert line["scores"]["top1"] == pytest.approx(0.42)
  assert line["overrides"] == {"target.kind": "stop_gradient"}
  assert line["statistics"] == {"loss": 0.02}
  assert line["curve"]["loss"][0] == [1, 1.0]
  assert len(line["curve"]["loss"]) == 20
  assert line["device"] == "1 x cpu"
  assert str(tmp_path) not in json.dumps(line)


def test_what_is_there_is_not_run_again(call, lines):
  call(experiment(BYOL))
  before = lines()
  code, fake = call(experiment(BYOL))
  assert (code, fake.commands) == (0, [])
  assert lines() == before


def test_half_a_line_is_run_again(call, lines, tmp_path):
  call(experiment(BYOL))
  file = tmp_path / "results" / "desk" / "one.jsonl"
  file.write_bytes(file.read_bytes()[:-20])
  assert lines() == []
  call(experiment(BYOL))
  assert [line["row"] for line in lines()] == ["BYOL"]


def test_a_stopped_runner_keeps_what_was_trained(call, tmp_path):
  call(experiment(BYOL), codes={"configs/eval": BROKEN})
  _, fake = call(experiment(BYOL))
  assert fake.trained() == []
  assert len(fake.commands) == 1


def test_what_was_evaluated_is_only_read(call, lines, tmp_path):
  call(experiment(BYOL))
  before = lines()
  (tmp_path / "results" / "desk" / "one.jsonl").unlink()
  _, fake = call(experiment(BYOL))
  assert fake.commands == []
  assert lines()[0]["scores"] == before[0]["scores"]


def test_divergence_is_a_result(call, lines, tmp_path):
  rows = (BYOL, NO_TARGET)
  code, fake = call(experiment(*rows), codes={"stop_gradient": NAN})
  assert code == 0
  assert len(fake.commands) == 3
  assert {x["row"]: x["status"] for x in lines()} == {
    "BYOL": "done",
    "predictor only": "diverged",
  }
  page = (tmp_path / "results" / "desk" / "one.md").read_text()
  assert "| predictor only | 0.3 | diverged (n=1) |" in page
  _, fake = call(experiment(*rows))
  assert fake.commands == []


def test_another_failure_is_said_and_the_rest_goes_on(call, lines, capsys):
  rows = (NO_TARGET, BYOL)
  code, _ = call(experiment(*rows), codes={"stop_gradient": BROKEN})
  assert code == 1
  assert [line["row"] for line in lines()] == ["BYOL"]
  assert "predictor only, seed 0 failed: byol_jax: The disk is full; see" in (
    capsys.readouterr().out
  )


def test_equal_runs_of_two_tables_are_made_once(call, lines):
  first, second = experiment(BYOL), experiment(BYOL, name="two")
  _, fake = call(first, second)
  assert len(fake.commands) == 2
  assert lines("two") == [{**lines()[0], "table": "two"}]


def test_a_later_table_takes_over_what_another_has(call, lines):
  call(experiment(BYOL))
  row = BYOL._replace(name="SimCLR")
  _, fake = call(experiment(row, NO_TARGET, name="two"))
  assert len(fake.trained()) == 1
  taken, _ = lines("two")
  assert (taken["row"], taken["table"]) == ("SimCLR", "two")
  assert taken["scores"] == lines()[0]["scores"]


def test_only_wanted_rows_are_run(call, lines):
  call(experiment(BYOL, NO_TARGET), more=["--rows=predictor"])
  assert [line["row"] for line in lines()] == ["predictor only"]


def test_a_whole_name_is_that_row_alone(call, lines):
  longer = NO_TARGET._replace(name="BYOL, twice")
  call(experiment(BYOL, longer), more=["--rows=BYOL"])
  assert [line["row"] for line in lines()] == ["BYOL"]


def test_a_folder_that_is_not_there_is_named(call):
  with pytest.raises(ValueError, match="--data=nowhere holds none of"):
    call(experiment(BYOL), more=["--data=nowhere"])


def test_an_unknown_row_is_named(call):
  with pytest.raises(ValueError, match="--rows=MoCo is in no row"):
    call(experiment(BYOL), more=["--rows=MoCo"])


def test_print_gives_commands_that_main_understands(call, capsys):
  _, fake = call(experiment(BYOL, NO_TARGET), more=["--print"])
  assert fake.commands == []
  printed = [shlex.split(x) for x in capsys.readouterr().out.splitlines()]
  assert len(printed) == 4
  made = set()
  for command in printed:
    assert command[:3] == ["python", "-m", "byol_jax.main"]
    values = flags.FlagValues()
    main.parse_flags(command[2:], values)
    config = values.config
    assert "encoder" not in config or config.encoder in made
    made.add(values.workdir)


def test_what_cannot_be_run_says_why(call, capsys):
  code, fake = call(experiment(BYOL, missing={"desk": "Too large."}))
  assert (code, fake.commands) == (0, [])
  assert "one: Too large." in capsys.readouterr().err


def test_parallel_runs_are_all_made(call, lines):
  code, _ = call(experiment(BYOL, NO_TARGET), seeds="0,1", more=["--jobs=3"])
  assert code == 0
  assert len(lines()) == 4


@pytest.mark.skipif(
  not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
  reason="cannot choose cores",
)
def test_parallel_runs_share_the_cores(call, monkeypatch):
  seen = set()
  kept = Processes.__call__

  def remember(self, *arguments):
    seen.add(frozenset(os.sched_getaffinity(0)))
    return kept(self, *arguments)

  monkeypatch.setattr(Processes, "__call__", remember)
  before = os.sched_getaffinity(0)
  call(experiment(BYOL, NO_TARGET), seeds="0,1", more=["--jobs=2"])
  assert all(len(share) == len(before) // 2 for share in seen)
  assert os.sched_getaffinity(0) == before


def test_an_error_of_ours_stops_the_other_runs(call, monkeypatch):
  def fail(*arguments):
    raise ValueError("no such score")

  monkeypatch.setattr(results, "made", fail)
  with pytest.raises(ValueError, match="no such score"):
    call(experiment(BYOL, NO_TARGET))


@pytest.mark.parametrize(
  ("text", "sentence"),
  [
    ("--jobs=0", "argument --jobs: '0' is not 1 to 1000"),
    ("--jobs=1001", "argument --jobs: '1001' is not 1 to 1000"),
    ("--jobs=\u00b2", "argument --jobs: '\u00b2' is not 1 to 1000"),
    ("--seeds=a", "argument --seeds: 'a' is not numbers such as 0,1,2"),
    ("--seeds=1,\u00b2", "argument --seeds: '1,\u00b2' is not numbers"),
    ("--seeds=2147483648", "argument --seeds: '2147483648' is not numbers"),
    ("--scale=moon", "argument --scale: invalid choice: 'moon'"),
    ("--results=", "argument --results: it is empty"),
    ("--runs=", "argument --runs: it is empty"),
    ("--no_such=1", "unrecognized arguments: --no_such=1"),
  ],
)
def test_a_wrong_flag_is_refused(call, monkeypatch, capsys, text, sentence):
  with pytest.raises(ValueError, match=r"^" + re.escape(sentence)):
    call(experiment(BYOL), more=[text])
  monkeypatch.setattr("signal.signal", lambda *arguments: None)
  monkeypatch.setattr("sys.argv", ["table", "--scale=desk", text])
  with pytest.raises(SystemExit) as stopped:
    runner.main([])
  assert stopped.value.code == 2
  assert capsys.readouterr().err.startswith(f"experiments: {sentence}")
