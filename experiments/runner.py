"""Runs experiments: resumes, in parallel, and writes what came out.

`python -m experiments.table5b --scale=desk` runs what is not in
experiments/results yet; `--print` prints the commands instead.
"""

import argparse
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from typing import Any, NoReturn

from byol_jax import exits, intact, rules

from . import (
  commands,
  declare,
  execute,
  figures,
  grouping,
  plan,
  processes,
  results,
  scales,
  selection,
  tables,
  work,
)

# No machine runs so many at a time.
_MAX_JOBS = 1000
_FOLDERS = {
  "results": ("experiments", "results"),
  "runs": ("runs", "experiments"),
}


def main(experiments: Sequence[declare.Experiment]) -> None:
  """Runs the experiments of a file as the command line says.

  Args:
    experiments: in the order of their tables.

  Raises:
    SystemExit: with 0, or with 1 if a run failed, 2 if a flag is wrong and 75
      if it was stopped.
  """
  for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    # Under nohup a hang-up is ignored, and stays so.
    if signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:
      signal.signal(getattr(signal, name), signal.default_int_handler)
  children = processes.Children()
  try:
    code = run(experiments, sys.argv[1:], children)
    sys.stdout.flush()
    sys.exit(code)
  except ValueError as error:
    _end(exits.REFUSED, f"experiments: {' '.join(str(error).split())}")
  except BrokenPipeError:  # As of `--print | head`.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(exits.FAILED)
  except OSError as error:
    _end(exits.FAILED, f"experiments: {error}")
  except KeyboardInterrupt:
    _end(exits.STOPPED, "Stopped; the same command continues.")
  finally:
    children.stop()


def run(
  experiments: Sequence[declare.Experiment],
  argv: Sequence[str],
  children: processes.Children,
) -> int:
  """Runs or prints what is missing.

  Args:
    experiments: in the order of their tables.
    argv: flags.
    children: runs a command.

  Returns:
    The exit code.

  Raises:
    ValueError: a flag or a declaration is wrong.
  """
  flags = _parse(argv)
  place = commands.Place(scales.SCALES[flags.scale], flags.data, flags.runs)
  folder = os.path.join(flags.results, flags.scale)
  _announce(experiments, place.scale)
  cells = selection.wanted(experiments, place.scale, flags.seeds, flags.rows)
  elsewhere, missing = selection.known_and_missing(
    cells, folder, commands.kind_of_data(place)
  )
  if flags.print:
    _print(missing, place)
    return 0
  _check_writable(flags)
  for cell, line in elsewhere:
    results.append(line, results.path(folder, cell.experiment))
  _write(experiments, place, folder)
  _say(f"{len(cells) - len(missing)} of {len(cells)} cells are there already.")
  failures = 0
  todo = work.jobs(missing)
  for evaluation, result in work.work(todo, place, flags.jobs, children):
    wanted = plan.digest(evaluation)
    mine = [x for x in missing if plan.digest(x.evaluation) == wanted]
    failures += result.status == execute.FAILED
    _keep(mine, result, place, folder)
    touched = {cell.experiment for cell in mine}
    _write([x for x in experiments if x.name in touched], place, folder)
  return exits.FAILED if failures else 0


def _announce(experiments, scale: scales.Scale) -> None:
  """Says what cannot be had."""
  for experiment in experiments:
    if scale.name in experiment.missing:
      reason = experiment.missing[scale.name]
      print(f"{experiment.name}: {reason}", file=sys.stderr)


class _Parser(argparse.ArgumentParser):
  """Says what is wrong without repeating how it is used."""

  def error(self, message: str) -> NoReturn:
    raise ValueError(message)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
  parser = _Parser(prog="python -m experiments.TABLE", allow_abbrev=False)
  add = parser.add_argument
  add("--scale", choices=list(scales.SCALES), required=True)
  add("--print", action="store_true", help="the commands, and run nothing")
  add("--jobs", type=_count, default=1, help="runs at a time")
  add("--seeds", type=_seeds, default=(), help="such as 0,1,2")
  add(
    "--rows",
    action="append",
    default=[],
    help="only rows whose name this is or has in it; may be repeated",
  )
  add("--data", default="", help="folder with train and test")
  for name, parts in _FOLDERS.items():
    add(f"--{name}", type=_folder, default=os.path.join(*parts))
  return parser.parse_args(argv)


def _count(text: str) -> int:
  if not text.isdecimal() or not 1 <= int(text) <= _MAX_JOBS:
    raise argparse.ArgumentTypeError(f"{text!r} is not 1 to {_MAX_JOBS}")
  return int(text)


def _folder(text: str) -> str:
  if not text:
    raise argparse.ArgumentTypeError("it is empty")
  return text


def _seeds(text: str) -> tuple[int, ...]:
  parts = text.split(",")
  known = all(part.isdecimal() for part in parts)
  if not known or max(map(int, parts)) > rules.LARGEST[int]:
    raise argparse.ArgumentTypeError(f"{text!r} is not numbers such as 0,1,2")
  return tuple(dict.fromkeys(map(int, parts)))


def _check_writable(flags: argparse.Namespace) -> None:
  """Refuses folders of which one would learn only after the first run."""
  for name in _FOLDERS:
    folder = os.path.join(getattr(flags, name), flags.scale)
    try:
      os.makedirs(folder, exist_ok=True)
      with tempfile.TemporaryFile(dir=folder):
        pass
    except OSError as error:
      raise ValueError(
        f"--{name}={getattr(flags, name)} cannot be written to:"
        f" {error.strerror}."
      ) from error


def _keep(cells, result, place, folder: str) -> None:
  """Writes the lines of a result, or says why there is none."""
  for cell in cells:
    name = f"{cell.experiment}, {cell.row}, seed {_seed(cell)}"
    if result.status == execute.FAILED:
      _say(f"{name} failed: {result.message}")
      continue
    line = results.made(cell, result.status, result.values, place)
    results.append(line, results.path(folder, cell.experiment))
    _say(f"{name}: {_summary(line)}")


def _seed(cell: plan.Cell) -> int:
  return cell.evaluation.pretraining.seed


def _summary(line: dict[str, Any]) -> str:
  if line["status"] != execute.DONE:
    return f"{line['status']}, {line['wall_secs']:.0f} s"
  score = 100.0 * line["scores"][line["metric"]]
  return f"{line['metric']} {score:.1f} %, {line['wall_secs']:.0f} s"


def _write(experiments, place: commands.Place, folder: str) -> None:
  """The tables of all that an experiment has so far."""
  for experiment in experiments:
    file = results.path(folder, experiment.name)
    data = commands.kind_of_data(place)
    lines = results.load(file)
    lines = grouping.current(experiment, place.scale, lines, data)
    if lines:
      text = tables.markdown(experiment, place.scale, lines)
      intact.write_whole(text, file.with_suffix(".md"))
      picture = figures.scores(experiment, place.scale, lines)
      figures.save(picture, file.with_suffix(".png"))


def _print(cells: Sequence[plan.Cell], place: commands.Place) -> None:
  """All commands, an encoder's evaluations after it."""
  for job in work.jobs(cells):
    if job[0].encoder == "trained":
      _print_one(commands.pretraining(job[0].pretraining, place))
    for evaluation in job:
      _print_one(commands.evaluation(evaluation, place))


def _print_one(arguments: Sequence[str]) -> None:
  print(shlex.join(["python", *arguments]))


def _end(code: int, reason: str) -> NoReturn:
  print(reason, file=sys.stderr)
  sys.exit(code)


def _say(text: str) -> None:
  print(text, flush=True)
