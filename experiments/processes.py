"""Processes that end when they are told to, and folders that they lock."""

import fcntl
import os
import pathlib
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, NamedTuple

from . import commands

_POLL_SECS, _PATIENCE_SECS = 1.0, 10.0


class Outcome(NamedTuple):
  """How a process ended.

  Attributes:
    code: its exit code; below 0 the signal that killed it.
    message: the last line that it printed.
  """

  code: int
  message: str


class StoppedError(Exception):
  """No process may begin any more."""


class Children:
  """The processes that run now: a call runs one, `stop` ends all of them."""

  def __init__(self):
    self._lock, self._running = threading.Lock(), set()
    self._stopped = False

  def __call__(
    self, arguments: Sequence[str], log: pathlib.Path, inherited: IO
  ) -> Outcome:
    """Runs a command to its end, what it prints goes into a log.

    Raises:
      StoppedError: `stop` was called.
    """
    with log.open("a", encoding="utf-8") as out:
      begin = out.tell()
      with self._lock:
        self.check()
        process = subprocess.Popen(
          commands.program(arguments),
          stdout=out,
          stderr=subprocess.STDOUT,
          env={"XLA_PYTHON_CLIENT_PREALLOCATE": "false", **os.environ},
          # Should this program die, the lock is held as long as its child.
          pass_fds=(inherited.fileno(),),
        )
        self._running.add(process)
      code = process.wait()
    with self._lock:
      self._running.discard(process)
    self.check()
    with log.open(encoding="utf-8", errors="replace") as said:
      said.seek(begin)
      lines = said.read().strip().splitlines()
    return Outcome(code, lines[-1] if lines else "")

  def check(self) -> None:
    """Raises StoppedError after `stop`."""
    if self._stopped:
      raise StoppedError

  def stop(self) -> None:
    """Ends all processes."""
    with self._lock:
      self._stopped = True
      running = list(self._running)
    for process in running:
      process.terminate()
    for process in running:
      try:
        process.wait(_PATIENCE_SECS)
      except subprocess.TimeoutExpired:
        process.kill()


def wait_for(
  lock: IO, check: Callable[[], None], poll_secs: float = _POLL_SECS
) -> None:
  """Waits while another program is at work in a folder, and says so once.

  Args:
    lock: an open file in it, locked until it is closed.
    check: raises an error when all is to stop.
    poll_secs: between two looks.
  """
  said = False
  while True:
    check()
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      if not said:
        folder = os.path.dirname(lock.name)
        print(f"Waiting: another program is at work in {folder}.", flush=True)
      said = True
      time.sleep(poll_secs)
    else:
      return
