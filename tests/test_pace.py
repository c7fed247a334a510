import sys

import pytest

from byol_jax import pace


class Clock:
  def __init__(self, monkeypatch):
    self.secs = 100.0
    monkeypatch.setattr(pace.time, "monotonic", lambda: self.secs)


@pytest.fixture
def clock(monkeypatch):
  return Clock(monkeypatch)


def test_progress_says_rate_and_time_left(clock, capsys):
  with pace.Progress(1000, 0, images_per_step=8) as progress:
    clock.secs += 50.0  # Compiling.
    progress.show(100, 3.0)
    clock.secs += 40.0
    progress.show(200, 2.5)
  last = capsys.readouterr().err.splitlines()[-1]
  # 100 steps in 40 seconds: 2.5 steps or 20 images a second, 800 to go.
  assert last == "step 200/1000, loss 2.5, 20 images/s, 05:20 left"


def test_progress_keeps_a_log_short(clock, capsys):
  with pace.Progress(1000, 0, images_per_step=8) as progress:
    for step in range(1, 1001):
      clock.secs += 1.0
      progress.show(step, 1.0)
  lines = capsys.readouterr().err.splitlines()
  steps = [int(line.split("/")[0].removeprefix("step ")) for line in lines]
  assert steps == [*range(1, 1000, 30), 1000]


def test_progress_of_a_long_run_shows_200_lines(clock, capsys):
  with pace.Progress(10000, 0, images_per_step=8) as progress:
    for step in range(10, 10001, 10):
      clock.secs += 3600.0
      progress.show(step, 1.0)
  assert 190 <= len(capsys.readouterr().err.splitlines()) <= 202


def test_progress_is_a_bar_on_a_terminal(clock, monkeypatch, capsys):
  monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
  with pace.Progress(40, 10, images_per_step=8) as progress:
    progress.show(11, 3.5)
    clock.secs += 3.0
    progress.show(20, 3.0)
  text = capsys.readouterr().err
  assert " 50%|" in text
  assert text.rstrip().endswith("step 20/40, loss 3, 24 images/s, 00:06 left")


def test_progress_leaves_pauses_out_of_the_rate(clock, capsys):
  with pace.Progress(1000, 0, images_per_step=8) as progress:
    progress.show(100, 3.0)
    with progress.paused():
      clock.secs += 1000.0
    clock.secs += 40.0
    progress.show(200, 2.5)
  assert ", 20 images/s, 05:20 left" in capsys.readouterr().err


def test_progress_gives_no_rate_before_the_first_step_is_compiled(
  clock, capsys
):
  with pace.Progress(1000, 0, images_per_step=8) as progress:
    clock.secs += 50.0
    progress.show(100, 3.0)
  assert capsys.readouterr().err == "step 100/1000, loss 3\n"


def test_say_prints_a_line_of_its_own(capsys):
  with pace.Progress(10, 0, images_per_step=8) as progress:
    progress.say("test_top1 0.5")
  assert capsys.readouterr().err == "test_top1 0.5\n"


def test_inactive_progress_is_silent(capsys):
  with pace.Progress(10, 0, images_per_step=8, active=False) as progress:
    progress.show(5, 1.0)
    progress.say("done")
  assert capsys.readouterr().err == ""
