import json
import logging
import os

import full_disk
import pytest
from tensorboard.backend.event_processing import event_accumulator

from byol_jax import records


def _lines(workdir):
  with open(workdir / "metrics.jsonl", encoding="utf-8") as file:
    return [json.loads(line) for line in file]


def _write(workdir, first_step, steps):
  with records.Recorder(str(workdir), first_step) as recorder:
    for step in steps:
      recorder.write(step, {"loss": step / 4})


def _events(workdir):
  accumulator = event_accumulator.EventAccumulator(str(workdir / "tensorboard"))
  accumulator.Reload()
  return accumulator


def test_write_appends_one_json_object_a_line(tmp_path):
  with records.Recorder(str(tmp_path), 0) as recorder:
    recorder.write(5, {"loss": 1.5, "train_top1": 0.25})
    assert _lines(tmp_path) == [{"step": 5, "loss": 1.5, "train_top1": 0.25}]


def test_write_keeps_what_is_not_finite_visible(tmp_path):
  with records.Recorder(str(tmp_path), 0) as recorder:
    recorder.write(1, {"loss": float("nan")})
  assert _lines(tmp_path)[0]["loss"] != _lines(tmp_path)[0]["loss"]


def test_tensorboard_reads_what_was_written(tmp_path):
  _write(tmp_path, 0, [1, 2])
  scalars = _events(tmp_path).Scalars("loss")
  assert [(scalar.step, scalar.value) for scalar in scalars] == [
    (1, 0.25),
    (2, 0.5),
  ]


def test_resumed_run_has_each_step_once(tmp_path):
  _write(tmp_path, 0, [10, 20, 30])
  _write(tmp_path, 20, [30, 40])
  assert [line["step"] for line in _lines(tmp_path)] == [10, 20, 30, 40]
  scalars = _events(tmp_path).Scalars("loss")
  assert [scalar.step for scalar in scalars] == [10, 20, 30, 40]


@pytest.mark.parametrize("half", ['{"step": 20, "lo', '{"step": 20}', "\0\0"])
def test_half_written_line_is_dropped(tmp_path, half):
  _write(tmp_path, 0, [10])
  with open(tmp_path / "metrics.jsonl", "a", encoding="utf-8") as file:
    file.write(half)
  _write(tmp_path, 20, [30])
  assert [line["step"] for line in _lines(tmp_path)] == [10, 30]


@pytest.mark.parametrize(
  "line", ['{"step": "3"}', "{}", "[4]", "\0\0", '{"ste']
)
def test_damaged_lines_anywhere_do_no_harm(tmp_path, line):
  _write(tmp_path, 0, [1, 2])
  path = tmp_path / "metrics.jsonl"
  path.write_text(path.read_text().replace("\n", f"\n{line}\n"))
  _write(tmp_path, 2, [3])
  assert [line["step"] for line in _lines(tmp_path)] == [1, 2, 3]


def test_a_restart_leaves_earlier_lines_as_they_were(tmp_path):
  with records.Recorder(str(tmp_path), 0) as recorder:
    recorder.write(1, {"loss": 0.1 + 0.2, "rank": float("nan")})
  before = (tmp_path / "metrics.jsonl").read_bytes()
  records.Recorder(str(tmp_path), 1).close()
  assert (tmp_path / "metrics.jsonl").read_bytes() == before != b""


def test_many_restarts_leave_few_event_files(tmp_path):
  for step in range(45):
    _write(tmp_path, step, [step + 1])
  files = list((tmp_path / "tensorboard").iterdir())
  assert 1 < len(files) <= 20
  assert all("tfevents" in file.name for file in files)
  assert [line["step"] for line in _lines(tmp_path)] == [*range(1, 46)]
  scalars = _events(tmp_path).Scalars("loss")
  assert [(x.step, x.value) for x in scalars] == [
    (step, step / 4) for step in range(1, 46)
  ]


def test_events_are_joined_without_what_was_dropped(tmp_path):
  for _ in range(21):
    _write(tmp_path, 0, [1, 2])
  _write(tmp_path, 1, [2, 3])
  assert [x.step for x in _events(tmp_path).Scalars("loss")] == [1, 2, 3]


@pytest.mark.parametrize("full", ["metrics.jsonl", "tensorboard"])
def test_a_full_disk_is_said_in_one_sentence(tmp_path, full, monkeypatch):
  _write(tmp_path, 0, [1])
  before = (tmp_path / "metrics.jsonl").read_bytes()
  if full == "tensorboard":
    monkeypatch.setattr(records.intact, "append", lambda text, path: None)
  with (
    pytest.raises(
      OSError, match=f"^{tmp_path}/{full} cannot be written .*kept"
    ),
    records.Recorder(str(tmp_path), 1) as recorder,
    full_disk.after(len(before) + 5),
  ):
    recorder.write(2, {"loss": 0.25})
  assert (tmp_path / "metrics.jsonl").read_bytes().startswith(before)
  monkeypatch.undo()
  _write(tmp_path, 1, [2])
  assert [line["step"] for line in _lines(tmp_path)] == [1, 2]


def test_inactive_recorder_writes_nothing(tmp_path):
  with records.Recorder(str(tmp_path), 0, active=False) as recorder:
    recorder.write(1, {"loss": 1.0})
  assert os.listdir(tmp_path) == []


def test_log_plainly_shows_each_warning_once_and_no_notice(capsys):
  before = logging.root.handlers[:], logging.root.level
  records.log_plainly()
  try:
    for _ in range(2):
      logging.info("a notice")
      logging.getLogger("a.library").warning("%d pictures are left", 8)
  finally:
    logging.root.handlers[:], logging.root.level = before
  assert capsys.readouterr().err == "8 pictures are left\n"
