"""Stops on request: SIGTERM, Ctrl-C, a closed terminal, a cloud's notice.

A request is only noted, and whoever has something to save asks for it with
`due`. A thread reads the signals beside the main one, which does not hear them
while XLA compiles: where nothing would be lost, and at a second Ctrl-C, it ends
the program at once.
"""

import itertools
import os
import signal
import threading
from collections.abc import Callable

from byol_jax import exits, parallel


class StoppedError(Exception):
  """A request to stop was followed; what was done is saved, or is no loss."""


class _Watch:
  """What was asked so far.

  Attributes:
    requested: set by the first signal.
    held: whether ending now would lose something.
    farewell: what is said where nothing would.
    lock: of all three, so that no request falls between two looks.
  """

  def __init__(self, end: Callable[[int], None] = os._exit):
    self.requested, self.held, self.farewell = threading.Event(), False, ""
    self._end, self.lock = end, threading.Lock()

  def note(self, number: int) -> None:
    """Takes a signal; called by the thread that reads them."""
    if number == signal.SIGINT and self.requested.is_set():
      self._leave(exits.INTERRUPTED, "Interrupted at once.")
    elif parallel.num_hosts() > 1:
      self.requested.set()
      # Of this signal JAX tells the other hosts.
      os.kill(os.getpid(), signal.SIGTERM)
    else:
      with self.lock:
        self.requested.set()
        if not self.held:
          self._leave(exits.STOPPED, self.farewell)

  def _leave(self, code: int, reason: str) -> None:
    """Ends the program whatever the main thread does."""
    exits.say_at_once(reason)
    self._end(code)


_watch = _Watch()
_calls = itertools.count()


def install(farewell: str) -> None:
  """Listens to the signals from now on; to be called by the main thread.

  With many hosts SIGTERM stays with `jax.distributed`, which tells the others;
  Ctrl-C is then passed on as SIGTERM. To be called again for another farewell.

  Args:
    farewell: what is said where nothing has to be saved.
  """
  _watch.farewell = farewell
  if signal.getsignal(signal.SIGINT) is not _do_nothing:
    _listen_to_signals()


def hold() -> None:
  """Something would be lost by ending at once, until `let_go`."""
  with _watch.lock:
    _watch.held = True


def let_go() -> None:
  """Everything is saved."""
  with _watch.lock:
    _watch.held = False


def due() -> bool:
  """Whether to save and stop now.

  Every host has to call it equally often, and all get the same answer.
  """
  if parallel.num_hosts() > 1:
    return parallel.agreed_to_stop(next(_calls))
  return _watch.requested.is_set()


def check() -> None:
  """Stops in the middle of work that is simply begun again.

  Raises:
    StoppedError: if that is due; every host has to call it equally often.
  """
  if due():
    raise StoppedError


def _listen_to_signals() -> None:
  read, write = os.pipe()
  os.set_blocking(write, False)
  signal.set_wakeup_fd(write, warn_on_full_buffer=False)
  numbers = [signal.SIGINT]
  # Of a closed terminal; under nohup it is ignored, and stays so.
  if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
    numbers.append(signal.SIGHUP)
  if parallel.num_hosts() == 1:
    numbers.append(signal.SIGTERM)
  for number in numbers:
    signal.signal(number, _do_nothing)
  thread = threading.Thread(
    target=_listen, args=(read, _watch, frozenset(numbers)), daemon=True
  )
  thread.start()


def _listen(read: int, watch: _Watch, numbers: frozenset[int]) -> None:
  """Hands on what the interpreter writes for each signal, one byte."""
  while True:
    for number in os.read(read, 1):
      if number in numbers:
        watch.note(number)


def _do_nothing(number: int, frame: object) -> None:
  """Keeps the signal from ending the program; the thread hears of it."""
  del number, frame
