"""Runs: a pretraining and its evaluations, as processes that can be stopped."""

import fcntl
import json
import os
import pathlib
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

from byol_jax import records
from experiments import commands, plan, results

DONE, FAILED = "done", "failed"
_FINISHED, _RESULTS, _LOG, _LOCK = (
  "finished.json",
  "results.json",
  "log.txt",
  "lock",
)
# What byol_jax.main says of a run that is one more result.
_DIVERGENCE = re.compile(r"(is (nan|-?inf)|is not finite) at step")
_POLL_SECS, _PATIENCE_SECS = 1.0, 10.0


class Outcome(NamedTuple):
  """How a process ended.

  Attributes:
    code: its exit code.
    message: the last line that it printed.
  """

  code: int
  message: str


class Result(NamedTuple):
  """What became of an evaluation.

  Attributes:
    status: "done", "diverged" or "failed".
    message: why it failed.
    values: further fields of its line.
  """

  status: str
  message: str
  values: Mapping[str, Any]


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


def run(
  evaluations: Sequence[plan.Evaluation],
  place: commands.Place,
  execute: Children,
) -> Iterator[tuple[plan.Evaluation, Result]]:
  """Trains an encoder, if that is wanted, and evaluates it.

  Args:
    evaluations: of one encoder, one or more.
    place: where.
    execute: runs a command.

  Yields:
    Each evaluation with its result, as they end.
  """
  first = evaluations[0]
  run_of = first.pretraining if first.encoder == "trained" else first
  workdir = pathlib.Path(commands.folder(run_of, place))
  workdir.mkdir(parents=True, exist_ok=True)
  with (workdir / _LOCK).open("w") as lock:
    wait_for(lock, execute.check)
    trained = Result(DONE, "", {"wall_secs": 0.0})
    if first.encoder == "trained":
      trained = _pretrain(first.pretraining, place, execute, lock)
    for evaluation in evaluations:
      if trained.status == DONE:
        yield evaluation, _evaluate(evaluation, trained, place, execute, lock)
      else:
        yield evaluation, trained


def _pretrain(run_of, place, execute, lock) -> Result:
  """Trains, or continues, or finds what was trained."""
  workdir = pathlib.Path(commands.folder(run_of, place))
  finished = workdir / _FINISHED
  if finished.exists():
    known = json.loads(finished.read_text())
  else:
    start = time.monotonic()
    arguments = commands.pretraining(run_of, place)
    outcome = execute(arguments, workdir / _LOG, lock)
    diverged = outcome.code and _DIVERGENCE.search(outcome.message)
    if outcome.code and not diverged:
      return Result(FAILED, outcome.message, {})
    known = {
      "status": results.DIVERGED if diverged else DONE,
      "wall_secs": round(time.monotonic() - start, 1),
    }
    records.write_whole(json.dumps(known) + "\n", finished)
  values = {"wall_secs": known["wall_secs"], **results.trace(str(workdir))}
  return Result(known["status"], "", values)


def _evaluate(evaluation, trained, place, execute, lock) -> Result:
  """Evaluates, or finds what was evaluated."""
  workdir = pathlib.Path(commands.folder(evaluation, place))
  workdir.mkdir(parents=True, exist_ok=True)
  found, start = workdir / _RESULTS, time.monotonic()
  if not found.exists():
    arguments = commands.evaluation(evaluation, place)
    outcome = execute(arguments, workdir / _LOG, lock)
    if outcome.code:
      return Result(FAILED, outcome.message, {})
    spent = time.monotonic() - start
  else:
    spent = json.loads(found.read_text())["wall_secs"]
  known = json.loads(found.read_text())
  kept = ("scores", "metric", "device", "versions")
  values = {**trained.values, **{key: known[key] for key in kept}}
  values["wall_secs"] = round(trained.values["wall_secs"] + spent, 1)
  return Result(DONE, "", values)


def wait_for(
  lock: IO, check: Callable[[], None], poll_secs: float = _POLL_SECS
) -> None:
  """Waits while another program is at work in a folder.

  Args:
    lock: an open file in it, locked until it is closed.
    check: raises an error when all is to stop.
    poll_secs: between two looks.
  """
  while True:
    check()
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      time.sleep(poll_secs)
    else:
      return
