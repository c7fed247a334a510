"""Checkpoints of two processes, of which one cannot write."""

import os
import socket
import subprocess
import sys

import pytest
import tiny

# Two saves, of which host 0 can write the first only.
_PROGRAM = """
import errno, os, sys
import jax, numpy as np, orbax.checkpoint as ocp

folder, address, host = sys.argv[1:]
jax.distributed.initialize(address, 2, int(host))
from byol_jax import checkpoint

async def refuse(*_):
  raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

try:
  with checkpoint.open_manager(folder, keep=5) as manager:
    state = {f"x{n}": np.zeros(3, np.float32) for n in range(20)}
    checkpoint.save(manager, 1, state, "{}")
    checkpoint.wait(manager)
    print(">", os.listdir(folder))
    if host == "0":
      ocp.JsonCheckpointHandler._save_fn = refuse
    checkpoint.save(manager, 2, state, "{}")
    checkpoint.wait(manager)
except checkpoint.CheckpointError as error:
  print(">", error)
jax.distributed.shutdown()  # Together.
"""


def _start(*arguments):
  return subprocess.Popen(
    [sys.executable, "-c", _PROGRAM, *map(str, arguments)],
    cwd=tiny.ROOT,
    env={**os.environ, "JAX_PLATFORMS": "cpu"},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def _said(out):
  """Our lines; Gloo prints there as well."""
  return [x[2:] for x in out.splitlines() if x.startswith("> ")]


@pytest.mark.slow
def test_a_write_that_fails_in_the_background_holds_nobody_up(tmp_path):
  with socket.socket() as one:
    one.bind(("127.0.0.1", 0))
    address = f"127.0.0.1:{one.getsockname()[1]}"
  processes = [_start(tmp_path, address, host) for host in range(2)]
  try:
    ends = [tiny.finish(process, timeout=60) for process in processes]
  finally:
    for process in processes:
      process.kill()
  first, second = (_said(out) for _, out, _ in ends)
  assert first[0] == second[0] == "['1']", ends
  assert first[1].startswith(f"A checkpoint in {tmp_path} cannot be written: ")
  assert "No space left on device; those before it are untouched" in first[1]
  assert second[1] == f"Host 0 could not write a checkpoint in {tmp_path}."
  assert "Traceback" not in ends[0][2] + ends[1][2]
