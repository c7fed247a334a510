import concurrent.futures
import time

import pytest

from experiments import processes


def test_a_process_says_how_it_ended(tmp_path):
  children = processes.Children()
  program = "print('one'); print('two'); raise SystemExit(3)"
  with (tmp_path / "lock").open("w") as lock:
    log = tmp_path / "log.txt"
    log.write_text("of an earlier time\n")
    outcome = children(["-c", program], log, lock)
  assert outcome == processes.Outcome(3, "two")
  assert log.read_text() == "of an earlier time\none\ntwo\n"


def test_a_silent_process_says_nothing(tmp_path):
  log = tmp_path / "log.txt"
  log.write_text("of an earlier time\n")
  with (tmp_path / "lock").open("w") as lock:
    outcome = processes.Children()(["-c", ""], log, lock)
  assert outcome == processes.Outcome(0, "")


def test_a_stopped_process_ends(tmp_path):
  children = processes.Children()
  program = "import time; print(1, flush=True); time.sleep(60)"
  log = tmp_path / "log.txt"
  with (
    (tmp_path / "lock").open("w") as lock,
    concurrent.futures.ThreadPoolExecutor() as pool,
  ):
    future = pool.submit(children, ["-c", program], log, lock)
    while not (log.exists() and log.read_text()):
      assert not future.done()
    start = time.monotonic()
    children.stop()
    assert time.monotonic() - start < 5.0
    with pytest.raises(processes.StoppedError):
      future.result(timeout=10)
    with pytest.raises(processes.StoppedError):
      children(["-c", program], log, lock)


def test_a_folder_is_waited_for_while_another_is_at_work(tmp_path, capsys):
  path = tmp_path / "lock"
  calls = []

  def check():
    calls.append(1)
    if len(calls) > 3:
      raise processes.StoppedError

  with path.open("w") as mine, path.open("w") as theirs:
    processes.wait_for(theirs, lambda: None)
    with pytest.raises(processes.StoppedError):
      processes.wait_for(mine, check, poll_secs=0.01)
  said = f"Waiting: another program is at work in {tmp_path}.\n"
  assert capsys.readouterr().out == said
  with path.open("w") as mine:
    processes.wait_for(mine, lambda: None)
