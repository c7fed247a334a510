"""A dense task on two processes of one device against one process of two."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests import tiny, tiny_dense


def _start(root, workdir, number, port):
  settings = {
    **tiny_dense.SETTINGS,
    **{f"data.{part}_path": str(root / part) for part in ("train", "test")},
  }
  environment = {
    **os.environ,
    "XLA_FLAGS": "--xla_force_host_platform_device_count=1"
    " --xla_backend_optimization_level=0",
  }
  return subprocess.Popen(
    [
      *(sys.executable, "-m", "byol_jax.main"),
      "--config=configs/eval/segmentation.py:pairs",
      *(f"--config.{key}={value}" for key, value in settings.items()),
      f"--workdir={workdir}",
      f"--coordinator_address=127.0.0.1:{port}",
      *("--num_processes=2", f"--process_id={number}"),
    ],
    cwd=tiny.ROOT,
    env=environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


@pytest.mark.slow
def test_two_hosts_agree_with_one(tmp_path):
  root = tmp_path / "pairs"
  tiny_dense.write(root)
  with socket.socket() as one:
    one.bind(("127.0.0.1", 0))
    port = one.getsockname()[1]
  two = [_start(root, tmp_path / "two", i, port) for i in range(2)]
  try:
    one = tiny_dense.run(root, tmp_path / "one")
    ends = [tiny.finish(process) for process in two]
  finally:
    for process in two:
      process.kill()
  assert [code for code, _, _ in ends] == [0, 0], ends
  assert "miou" in ends[0][1]
  assert "miou" not in ends[1][1]
  ours, theirs = (
    tiny.state(tmp_path / name / one["checkpoint"]) for name in ("one", "two")
  )
  assert ours.keys() == theirs.keys()
  for key, leaf in ours.items():
    np.testing.assert_allclose(
      leaf, theirs[key], rtol=1e-4, atol=1e-5, err_msg=key
    )
