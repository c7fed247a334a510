"""Runs experiments: resumes, in parallel, and writes what came out.

`python -m experiments.table5b --scale=desk` runs what is not in
experiments/results yet; `--print` prints the commands instead.
"""

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from byol_jax import exits, intact

from . import (
  commands,
  configured,
  declare,
  execute,
  figures,
  grouping,
  options,
  plan,
  processes,
  results,
  scales,
  scoring,
  selection,
  tables,
  work,
)


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
  flags = options.parse(argv)
  place = commands.Place(
    scales.SCALES[flags.scale],
    flags.data,
    flags.runs,
    flags.pictures,
    flags.dense,
  )
  folder = os.path.join(flags.results, flags.scale)
  _announce(experiments, place.scale)
  cells = selection.wanted(experiments, place.scale, flags.seeds, flags.rows)
  elsewhere, missing = selection.known_and_missing(cells, folder, place)
  if flags.print:
    _print(missing, place)
    return 0
  options.check_writable(flags)
  for cell, line in elsewhere:
    results.append(line, results.path(folder, cell.experiment))
  _write(experiments, place, folder)
  _say(
    f"{len(cells) - len(missing)} of {len(cells)} cells are there already, in"
    f" {folder}."
  )
  failures = 0
  todo = work.jobs(missing)
  for job in todo:
    execute.check(job, place)
  for evaluation, result in work.work(todo, place, flags.jobs, children):
    wanted = plan.digest(evaluation)
    mine = [x for x in missing if plan.digest(x.evaluation) == wanted]
    failures += result.status == execute.FAILED
    names = [cell.experiment for cell in mine]
    touched = {x.name: x for x in experiments if x.name in names}
    for cell in mine:
      _keep(cell, touched[cell.experiment], result, (place, folder))
    _write(touched.values(), place, folder)
  return exits.FAILED if failures else 0


def _announce(experiments, scale: scales.Scale) -> None:
  """Says what cannot be had."""
  for experiment in experiments:
    if scale.name in experiment.missing:
      reason = experiment.missing[scale.name]
      print(f"{experiment.name}: {reason}", file=sys.stderr)


def _keep(cell: plan.Cell, experiment, result, places) -> None:
  """Writes the line of a result, or says why there is none."""
  place, folder = places
  name = f"{cell.experiment}, {cell.row}, seed {plan.seed_of(cell.evaluation)}"
  if result.status == execute.FAILED:
    _say(f"{name} failed: {result.message}")
    return
  line = results.made(cell, result.status, result.values, place)
  results.append(line, results.path(folder, cell.experiment))
  _say(f"{name}: {_summary(experiment, line)}")


def _summary(experiment: declare.Experiment, line: results.Line) -> str:
  """What a table gets of a line, and the time that it took."""
  shown = [line["status"]]
  if line["status"] == execute.DONE:
    found = scoring.scores(experiment, [line])
    shown = [
      f"{x.title} {scoring.text(found[line['row'], x.name].mean, x)}"
      for x in experiment.columns
      if x.name in line["columns"]
    ]
  return f"{', '.join(shown)}, {line['wall_secs']:.0f} s"


def _write(experiments, place: commands.Place, folder: str) -> None:
  """The tables of all that an experiment has so far."""
  for experiment in experiments:
    file = results.path(folder, experiment.name)
    base = place.scale.bases[experiment.base]
    config = configured.built(base.config, tuple(base.changes.items()))
    data = commands.kind_of_data(config, place)
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
