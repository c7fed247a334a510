"""Trains BYOL, or evaluates what was trained.

`python -m byol_jax.main --config=configs/cpu.py` trains, and
`--config=configs/eval/knn.py --config.encoder=runs/cpu` evaluates.
`--config=configs/imagenet.py:300` picks a preset and `--config.seed=1` changes
a setting. The same command on the same workdir continues a run.
"""

import signal

if __name__ == "__main__":
  # The imports take seconds: Ctrl-C ends them without a traceback.
  signal.signal(signal.SIGINT, signal.SIG_DFL)

import logging
import os
import pathlib
from collections.abc import Callable, Sequence

import jax
from absl import app, flags
from ml_collections.config_flags import config_flags

from byol_jax import (
  command_line,
  compiler,
  describe,
  evaluate,
  exits,
  inputs,
  parallel,
  peers,
  pretrain,
  records,
  replicas,
  shipped,
  stopping,
  weights_and_biases,
  workdirs,
)
from byol_jax import config as config_lib
from byol_jax.data import problems
from byol_jax.dense import runs

# Nothing was begun; and what a run cannot mend by itself.
_REFUSED = (problems.DataError, workdirs.WorkdirError)
_FAILED = (ValueError, OSError, FloatingPointError, replicas.ReplicaError)
# Workdir of a job, and the job.
_Job = tuple[str, Callable[[], object]]


def parse_flags(
  argv: Sequence[str],
  values: flags.FlagValues = flags.FLAGS,
  define: Callable[[flags.FlagValues], None] | None = None,
) -> list[str]:
  """Defines the flags and parses them, or says in one line what is wrong.

  Args:
    argv: the program and its arguments.
    values: where the flags are put.
    define: adds another command's flags to --config; None adds those of main.

  Returns:
    The program's name.

  Raises:
    SystemExit: with code 2, after one line on the standard error.
  """
  try:
    argv = values.read_flags_from_files(list(argv), force_gnu=False)
    argv = command_line.find_files(argv)
    command_line.check_keys(argv)
    _define_config(values, argv)
    (define or command_line.define_flags)(values)
    rest = _parsed(values, argv)
    if rest[1:]:
      raise ValueError(f"{rest[1]!r} is not a flag; flags begin with --.")
    command_line.check_config(values["config"])
  except command_line.FAILURES as error:
    exits.refuse(command_line.sentence(error, argv))
  except SystemExit as error:
    if error.code == exits.FAILED:  # Of --help.
      raise
    exits.refuse(f"The config ends the program: {error.code}.")
  return rest


def config_name(config_flag: str) -> str:
  """The config's name and preset, "imagenet_300"."""
  path, _, preset = config_flag.partition(":")
  stem = pathlib.PurePath(path).stem
  return f"{stem}_{preset}" if preset else stem


def main(argv: Sequence[str]) -> None:
  """Checks the config, then does its job or says what would be done."""
  del argv
  values = flags.FLAGS
  records.log_plainly()
  try:
    with peers.joining():
      parallel.initialize(
        values.coordinator_address, values.num_processes, values.process_id
      )
  except ValueError as error:
    exits.refuse(str(error))
  stopping.install("Stopped before anything was begun.")
  with peers.Watching("the same command on every host continues the run."):
    workdir, job = _prepare(values)
    _do(job, f"the same command continues from {workdir}.")


def _prepare(values: flags.FlagValues) -> _Job:
  """Checks everything that can be checked before the work."""
  try:
    if parallel.host():
      logging.disable(logging.WARNING)  # Host 0 says the same.
    _check_job(values)
    config_lib.validate(values.config, parallel.num_devices())
    name = config_name(values["config"].config_filename)
    if config_lib.is_evaluation(values.config):
      return _evaluation(values, name)
    return _pretraining(values, name)
  except (ValueError, OSError) as error:
    exits.refuse(str(error))


def _check_job(values: flags.FlagValues) -> None:
  """Refuses a config of the other kind, where one kind is asked for."""
  kind = "evaluate" if config_lib.is_evaluation(values.config) else "train"
  if values.job not in (None, kind):
    path = shipped.name(values["config"].config_filename)
    raise ValueError(f"--config={path} is for byol {kind}.")


def _do(job: Callable[[], object], again: str) -> None:
  """Does the work, and ends in one sentence where it cannot be done."""
  stopping.install(f"Stopped; {again}")
  try:
    job()
  except _REFUSED as error:
    exits.release(error)
    exits.refuse(str(error))
  except _FAILED as error:
    exits.release(error)
    exits.end(exits.FAILED, str(error))
  except jax.errors.JaxRuntimeError as error:
    exits.release(error)
    reason = peers.explained(str(error))
    if not reason:
      raise
    exits.end(exits.FAILED, f"{reason} {again[0].upper()}{again[1:]}")
  except stopping.StoppedError as error:
    exits.release(error)
    exits.end(exits.STOPPED, f"Stopped and saved; {again}")


def _pretraining(values: flags.FlagValues, name: str) -> _Job:
  """Workdir and what to do: to train, or to say what that would be."""
  config = values.config
  workdir = values.workdir or os.path.join("runs", name)
  if values.wandb and parallel.host() == 0:
    weights_and_biases.check(values.wandb)
  if values.dry_run:
    text = describe.describe(config)
    return workdir, lambda: _print(text)
  data = inputs.open_inputs(config)
  pretrain.check(config, data)
  extras = pretrain.Extras(values.show_views, values.wandb or "")
  return workdir, lambda: pretrain.run(config, data, workdir, extras)


def _evaluation(values: flags.FlagValues, name: str) -> _Job:
  """Workdir and what to do: to evaluate, or to say what that would be."""
  if values.wandb:
    raise ValueError("--wandb is for configs that pretrain.")
  # The tasks of one label a picture, or those of many.
  kind = runs if values.config.protocol in runs.TASKS else evaluate
  encoder, config = kind.find(values.config)
  workdir = values.workdir or workdirs.of_evaluation(config.encoder, name)
  if values.dry_run:
    return workdir, lambda: _print(kind.describe(config, encoder, workdir))
  return workdir, lambda: kind.run(config, encoder, workdir, name)


def _print(text: str) -> None:
  if parallel.host() == 0:
    print(text)


def _define_config(values: flags.FlagValues, argv: Sequence[str]) -> None:
  config_flags.DEFINE_config_file(
    "config",
    help_string="File of configs/, with :preset where it has presets.",
    lock_config=True,
    flag_values=values,
    sys_argv=argv,
  )


def _parsed(values: flags.FlagValues, argv: Sequence[str]) -> list[str]:
  """Parses without the warning of a config that returns nothing."""
  logging.disable(logging.WARNING)
  try:
    return values(argv)
  finally:
    logging.disable(logging.NOTSET)


if __name__ == "__main__":
  compiler.prepare()
  app.run(main, flags_parser=parse_flags)
