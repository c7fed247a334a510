"""Runs: a pretraining and its evaluations, each made where it is missing."""

import json
import pathlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from byol_jax import intact

from . import commands, dense_location, plan, processes, results

DONE, FAILED = "done", "failed"
# What byol_jax.main writes when it is done (of supervised training, which is an
# evaluation, the second), and what is written here.
_SUMMARY, _RESULTS = "summary.json", "results.json"
_FINISHED, _SPENT, _LOG, _LOCK = (
  "finished.json",
  "spent.json",
  "log.txt",
  "lock",
)
# What byol_jax.main says of a run that is one more result: of the loop's loss
# and state, and of evaluations of which nothing is left.
_DIVERGENCE = re.compile(
  r"(is (nan|-?inf)|is not finite) at step"
  r"|Every (point|rate) of the sweep diverged"
)


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


def run(
  evaluations: Sequence[plan.Evaluation],
  place: commands.Place,
  execute: processes.Children,
) -> Iterator[tuple[plan.Evaluation, Result]]:
  """Trains an encoder, if that is wanted, and evaluates it.

  What its workdir already holds is not made again, whoever made it.

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
    processes.wait_for(lock, execute.check)
    step = _Step(place, execute, lock)
    trained = _trained(DONE, 0.0)
    if first.encoder == "trained":
      is_wanted = not all(_results(x, place).exists() for x in evaluations)
      trained = step.pretrain(first.pretraining, is_wanted)
    for evaluation in evaluations:
      if trained.status == DONE:
        yield evaluation, step.evaluate(evaluation, trained)
      else:
        yield evaluation, trained


def check(
  evaluations: Sequence[plan.Evaluation], place: commands.Place
) -> None:
  """Looks for the data of what `run` would have to make.

  Args:
    evaluations: of one encoder, one or more.
    place: where.

  Raises:
    ValueError: it is not where the flags say.
  """
  missing = [x for x in evaluations if not _results(x, place).exists()]
  for evaluation in missing:
    commands.evaluation(evaluation, place)
    dense_location.check(evaluation.config, place.dense)
  if missing and missing[0].encoder == "trained":
    run_of = missing[0].pretraining
    if not _is_trained(pathlib.Path(commands.folder(run_of, place))):
      commands.pretraining(run_of, place)


class _Step(NamedTuple):
  """One process after another, in a locked folder."""

  place: commands.Place
  execute: processes.Children
  lock: Any

  def pretrain(self, run_of: plan.Pretraining, is_wanted: bool) -> Result:
    """Trains, or continues, or finds what was trained."""
    workdir = pathlib.Path(commands.folder(run_of, self.place))
    finished, status = workdir / _FINISHED, DONE
    if finished.exists():
      known = json.loads(finished.read_text())
      return _trained(known["status"], known["wall_secs"], str(workdir))
    if is_wanted and not _is_trained(workdir):
      arguments = commands.pretraining(run_of, self.place)
      status, message = self._call(arguments, workdir)
      if status == FAILED:
        return Result(FAILED, message, {})
      known = {"status": status, "wall_secs": _spent(workdir)}
      intact.write_whole(json.dumps(known) + "\n", finished)
    # By hand, it took nobody knows how long.
    return _trained(status, _spent(workdir), str(workdir))

  def evaluate(self, evaluation: plan.Evaluation, trained: Result) -> Result:
    """Evaluates, or finds what was evaluated."""
    found = _results(evaluation, self.place)
    status, message = DONE, ""
    if not found.exists():
      found.parent.mkdir(parents=True, exist_ok=True)
      arguments = commands.evaluation(evaluation, self.place)
      status, message = self._call(arguments, found.parent)
    if status == FAILED:
      return Result(FAILED, message, {})
    values, spent = dict(trained.values), _spent(found.parent)
    if status == DONE:
      known = json.loads(found.read_text())
      kept = ("scores", "metric", "device", "versions")
      values |= {key: known[key] for key in kept}
      spent = known["wall_secs"] if spent is None else spent
    values["evaluation_secs"] = spent
    values["wall_secs"] = round(values["wall_secs"] + spent, 1)
    return Result(status, "", values)

  def _call(
    self, arguments: Sequence[str], workdir: pathlib.Path
  ) -> tuple[str, str]:
    """Status and why it failed; adds to the seconds that were spent there."""
    start, log = time.monotonic(), workdir / _LOG
    before = _spent(workdir) or 0.0
    try:
      outcome = self.execute(arguments, log, self.lock)
    finally:
      spent = round(before + time.monotonic() - start, 1)
      intact.write_whole(json.dumps(spent) + "\n", workdir / _SPENT)
    if not outcome.code:
      return DONE, ""
    if outcome.code > 0 and has_diverged(outcome.message):
      return results.DIVERGED, ""
    reason = outcome.message or f"exit code {outcome.code}"
    if outcome.code < 0:
      reason = f"killed by signal {-outcome.code}"
    return FAILED, f"{reason.rstrip('.')}; see {log}"


def has_diverged(message: str) -> bool:
  """Whether byol_jax.main says that a run's numbers did not stay finite.

  Args:
    message: the last line that it printed.
  """
  return bool(_DIVERGENCE.search(message))


def _trained(status: str, spent: float | None, workdir: str = "") -> Result:
  """A pretraining; one whose time nobody knows counts as none."""
  values = {"wall_secs": spent or 0.0, "pretraining_secs": spent}
  recorded = results.trace(workdir) if workdir else {}
  return Result(status, "", {**values, "evaluation_secs": 0.0, **recorded})


def _is_trained(workdir: pathlib.Path) -> bool:
  """Whether a training has come to its end, whoever began it."""
  names = (_FINISHED, _SUMMARY, _RESULTS)
  return any((workdir / name).exists() for name in names)


def _results(evaluation: plan.Evaluation, place: commands.Place):
  return pathlib.Path(commands.folder(evaluation, place)) / _RESULTS


def _spent(workdir: pathlib.Path) -> float | None:
  """Seconds of all calls in a workdir, None where there was none."""
  file = workdir / _SPENT
  return json.loads(file.read_text()) if file.exists() else None
