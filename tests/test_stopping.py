import contextlib
import signal
import subprocess
import sys

import pytest

from byol_jax import exits, parallel, stopping

# A program that does what its argument says, with the signals heard.
PROGRAM = """
import hashlib, sys, time
from byol_jax import stopping

stopping.install("Stopped early.")
what = sys.argv[1]
if what == "busy":
  print("ready", flush=True)
  # Long work that leaves the interpreter to other threads, as XLA does.
  hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
if what == "holds":
  stopping.hold()
  print("ready", flush=True)
  while not stopping.due():
    time.sleep(0.01)
  print("asked", flush=True)
  time.sleep(90 if sys.argv[2:] else 0)
  sys.exit(3)
"""


@contextlib.contextmanager
def _started(*arguments):
  with subprocess.Popen(
    [sys.executable, "-c", PROGRAM, *arguments],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  ) as process:
    try:
      assert process.stdout.readline() == "ready\n"
      yield process
    finally:
      process.kill()


def test_what_loses_nothing_ends_at_once_in_the_middle_of_c():
  with _started("busy") as process:
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
  assert process.returncode == exits.STOPPED
  assert said == "byol_jax: Stopped early.\n"


def test_what_holds_on_is_only_asked():
  with _started("holds") as process:
    process.send_signal(signal.SIGTERM)
    out, said = process.communicate(timeout=60)
  assert (process.returncode, out, said) == (3, "asked\n", "")


def test_a_second_ctrl_c_ends_at_once_and_a_second_sigterm_does_not():
  with _started("holds", "and sleeps") as process:
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
      process.wait(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
  assert process.returncode == exits.INTERRUPTED
  assert said == "byol_jax: Interrupted at once.\n"


def test_check_raises_when_it_is_due(monkeypatch):
  stopping.check()
  monkeypatch.setattr(stopping, "due", lambda: True)
  with pytest.raises(stopping.StoppedError):
    stopping.check()


def test_many_hosts_agree_call_by_call(monkeypatch):
  calls = []

  def agreed(call):
    calls.append(call)
    return call == calls[0] + 2

  monkeypatch.setattr(parallel, "num_hosts", lambda: 2)
  monkeypatch.setattr(parallel, "agreed_to_stop", agreed)
  assert [stopping.due() for _ in range(3)] == [False, False, True]
  assert calls == list(range(calls[0], calls[0] + 3))
