"""Two processes of one CPU device each, which are stopped and killed."""

import contextlib
import os
import signal
import socket
import time

import pytest
import tiny

from byol_jax import checkpoint

LONG = {
  "quickly": True,
  "augment__set": "crop_only",
  "training__num_epochs": tiny.epochs(100_000),
  "evaluation__every_epochs": 0.0,
  "checkpoint__every_epochs": tiny.epochs(5),
}


@contextlib.contextmanager
def _two(workdir):
  """Both processes, which do not outlive the block."""
  with socket.socket() as one:
    one.bind(("127.0.0.1", 0))
    port = one.getsockname()[1]
  processes = [
    tiny.start(
      workdir,
      f"--coordinator_address=127.0.0.1:{port}",
      *("--num_processes=2", f"--process_id={number}"),
      **LONG,
    )
    for number in range(2)
  ]
  try:
    yield processes
  finally:
    for process in processes:
      process.kill()
      if not process.stdout.closed:
        process.communicate()


def _wait_for_steps(workdir, count, processes):
  """Until so many steps more are recorded."""
  path = workdir / "metrics.jsonl"

  def recorded():
    return path.read_bytes().count(b"\n") if path.exists() else 0

  wanted = recorded() + count
  while recorded() < wanted:
    assert all(process.poll() is None for process in processes)
    time.sleep(0.1)


@pytest.mark.slow
def test_hosts_stop_together_and_none_outlives_another(tmp_path):
  workdir = tmp_path / "run"
  with _two(workdir) as processes:
    _wait_for_steps(workdir, 3, processes)
    processes[1].send_signal(signal.SIGTERM)
    ends = [tiny.finish(process) for process in processes]
  assert [code for code, _, _ in ends] == [75, 75], ends
  again = f"the same command continues from {workdir}."
  for _, _, err in ends:
    assert f"byol_jax: Stopped and saved; {again}\n" in err
  step = max(map(int, os.listdir(workdir / checkpoint.FOLDER)))
  assert len(tiny.metrics(workdir)) == step >= 3

  with _two(workdir) as processes:
    _wait_for_steps(workdir, 3, processes)
    processes[1].kill()
    code, _, err = tiny.finish(processes[0], timeout=60)
  assert code == 1, err
  assert f"Found step {step} in " in err
  last = err.splitlines()[-1]
  assert last.startswith("byol_jax: ")
  assert "host cannot be reached" in last or "Host 1 has been silent" in last
  assert "Traceback" not in err
