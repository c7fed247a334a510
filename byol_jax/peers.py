"""Notices when another host of a run is gone, instead of waiting for it.

JAX ends a process whose peers are silent as well, with a page of text; here a
thread says it before that, in a sentence. It speaks through the store of
`jax.distributed`, which works while the devices wait for each other.
"""

import contextlib
import itertools
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import jax
from orbax.checkpoint import multihost

from byol_jax import exits, parallel

_BEAT_SECS, _LAST_LOOKS_SECS = 5.0, 0.2
# A host that says nothing for so long is gone; JAX's own limit is later.
_SILENCE_SECS = 30.0
_FOLDER = "byol_jax/hosts"
_ALIVE, _ENDED, _FAILED = "alive", "ended", "failed"
# Host 0 is whom the others ask: it leaves last, after a beat of theirs.
_GRACE_SECS = _BEAT_SECS + 2.0
# JAX's own limit is five minutes.
_JOIN_SECS = 285.0
# What made this one fail may be on its way to host 0, which says it better.
_LAST_WORDS_SECS = 1.0
# What XLA says where memory ends: on accelerators, and on a CPU.
_TOO_MUCH = ("RESOURCE_EXHAUSTED", "Out of memory")
# What JAX says when a host is gone.
_LOST = ("Gloo", "UNAVAILABLE", "DEADLINE_EXCEEDED", "Connection")
# Exit codes of what all hosts do together.
_WELL = (None, 0, exits.STOPPED)


@contextlib.contextmanager
def joining(limit_secs: float = _JOIN_SECS) -> Iterator[None]:
  """Ends the program in a sentence where other processes do not come.

  They may start minutes apart: JAX's own limit, whose end is a page of text, is
  a little later.

  Args:
    limit_secs: how long the block may wait for them.
  """

  def give_up():
    exits.say_at_once(
      f"The other processes have not come within {limit_secs:.0f} s: start the"
      " same command on every host."
    )
    os._exit(exits.FAILED)

  timer = threading.Timer(limit_secs, give_up)
  timer.daemon = True
  timer.start()
  try:
    yield
  finally:
    timer.cancel()


class Lookout:
  """What the other hosts have said, and when.

  Attributes:
    own: this host's number.
    num_hosts: of the run.
  """

  def __init__(self, own: int, num_hosts: int):
    self.own, self.num_hosts = own, num_hosts
    self._heard: dict[int, tuple[str, float]] = {}

  def look(self, said: dict[int, str], now: float) -> str:
    """Compares what the hosts say with what they said before.

    Args:
      said: a text of each host that has said something; it begins with "alive",
        "ended" or "failed" and differs from the one before.
      now: in seconds.

    Returns:
      What is wrong, as the beginning of a sentence; else an empty text.
    """
    for host in set(range(self.num_hosts)) - {self.own}:
      text = said.get(host, "")
      before, since = self._heard.setdefault(host, (text, now))
      if text.startswith(_FAILED):
        return f"Host {host} has failed"
      if text != before:
        self._heard[host] = (text, now)
      elif now - since > _SILENCE_SECS and not text.startswith(_ENDED):
        return f"Host {host} has been silent for {now - since:.0f} seconds"
    return ""

  def all_ended(self, said: dict[int, str]) -> bool:
    """Whether every other host has said that it ended."""
    others = set(range(self.num_hosts)) - {self.own}
    return all(said.get(host, "").startswith(_ENDED) for host in others)


class Watching:
  """Watches the other hosts while a block runs, and tells them how it ended.

  Where the block fails, all hosts end: the others would wait for ever for what
  this one does not send any more. Where it ends well, the process ends with the
  others. A context manager, which does nothing where there are none.
  """

  def __init__(self, farewell: str, end: Callable[[int], Any] = os._exit):
    """Says nothing yet.

    Args:
      farewell: what to do when a host is gone, as the end of a sentence.
      end: ends the process with a code.
    """
    self._farewell, self._end = farewell, end
    self._ended, self._thread = threading.Event(), None
    self._answered_secs = time.monotonic()

  def __enter__(self) -> "Watching":
    if parallel.num_hosts() > 1:
      self._thread = threading.Thread(target=self._watch, daemon=True)
      self._thread.start()
      threading.Thread(target=self._watch_host_0, daemon=True).start()
    return self

  def __exit__(
    self, kind: Any, error: BaseException | None, where: Any
  ) -> None:
    if self._thread is None:
      return
    self._ended.set()
    self._thread.join(_SILENCE_SECS)  # It may wait for a silent host 0.
    code = getattr(error, "code", exits.FAILED) if error else 0
    if code in _WELL:
      self._part(code or 0)
      return
    if not isinstance(error, SystemExit):
      traceback.print_exception(error)
    self._leave(code)

  def _part(self, code: int) -> None:
    """Ends this process with all others, once each has come so far.

    Not as usual: Python then cleans up for seconds, during which the others
    would no more hear of one that fails.
    """
    lookout = Lookout(parallel.host(), parallel.num_hosts())
    try:
      _say(_ENDED)
      while not lookout.all_ended(said := _said()):
        trouble = lookout.look(said, time.monotonic())
        if trouble:
          self._tell(trouble)
          return
        time.sleep(_LAST_LOOKS_SECS)
    except jax.errors.JaxRuntimeError:
      pass  # Host 0 waits for the others only so long; this one is done.
    # JAX parts as well, or a host that is late would be aborted.
    parting = threading.Thread(target=jax.distributed.shutdown, daemon=True)
    parting.start()
    parting.join(_GRACE_SECS)
    self._finish(code)

  def _leave(self, code: int) -> None:
    """Ends this process, but not as usual: that waits for the other hosts."""
    if parallel.host():
      time.sleep(_LAST_WORDS_SECS)
    with contextlib.suppress(jax.errors.JaxRuntimeError):  # Host 0 is gone.
      _say(_FAILED)
    if parallel.host() == 0:
      time.sleep(_GRACE_SECS)
    self._finish(code)

  def _finish(self, code: int) -> None:
    """Ends the process at once."""
    with contextlib.suppress(OSError, ValueError):  # Nobody reads it.
      sys.stdout.flush()
      sys.stderr.flush()
    self._end(code)

  def _watch(self) -> None:
    """Tells the others that this host is alive, until one of them is not."""
    lookout = Lookout(parallel.host(), parallel.num_hosts())
    for beat in itertools.count():
      try:
        _say(f"{_ALIVE} {beat}")
        trouble = lookout.look(_said(), time.monotonic())
        self._answered_secs = time.monotonic()
      except jax.errors.JaxRuntimeError:
        trouble = "Host 0 cannot be reached"
      if trouble and not self._ended.is_set():
        self._tell(trouble)
      if self._ended.wait(_BEAT_SECS):
        return

  def _watch_host_0(self) -> None:
    """Notices that it answers no more: the other thread waits for it."""
    while not self._ended.wait(_BEAT_SECS):
      silence = time.monotonic() - self._answered_secs
      if silence > _SILENCE_SECS:
        self._tell(f"Host 0 has been silent for {silence:.0f} seconds")

  def _tell(self, trouble: str) -> None:
    """Says it, and ends the process."""
    exits.say_at_once(f"{trouble}; {self._farewell}")
    self._end(exits.FAILED)


def explained(error: str) -> str:
  """Says in a sentence what a `JaxRuntimeError` means.

  Args:
    error: its text.

  Returns:
    The sentence; nothing where the error may be this program's own.
  """
  first = error.partition("\n")[0]
  if any(x in first for x in _TOO_MUCH):
    return (
      f"The devices have too little memory ({first}): lower"
      " training.batch_size or evaluation.batch_size, or raise"
      " training.micro_batches."
    )
  if parallel.num_hosts() > 1 and any(x in error for x in _LOST):
    return f"Another host cannot be reached ({first})."
  return ""


def _say(text: str) -> None:
  """Replaces what this host has said."""
  client = multihost.get_jax_distributed_client()
  key = f"{_FOLDER}/{parallel.host()}"
  client.key_value_set(key, text, allow_overwrite=True)


def _said() -> dict[int, str]:
  """What each host has said last."""
  client = multihost.get_jax_distributed_client()
  pairs = client.key_value_dir_get(_FOLDER)
  return {int(key.rpartition("/")[2]): text for key, text in pairs}
