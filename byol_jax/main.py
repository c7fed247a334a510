"""Trains BYOL, or evaluates what was trained.

`python -m byol_jax.main --config=configs/cpu.py` trains, and
`--config=configs/eval/knn.py --config.encoder=runs/cpu` evaluates.
`--config=configs/imagenet.py:300` picks a preset and `--config.seed=1` changes
a setting. The same command on the same workdir continues a run.
"""

import logging
import os
import pathlib
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

import ml_collections
from absl import app, flags
from ml_collections.config_flags import config_flags

from byol_jax import config as config_lib
from byol_jax import (
  describe,
  evaluate,
  inputs,
  parallel,
  pretrain,
  records,
  schema,
)

# Exit code of a wrong flag or setting: nothing was begun.
_REFUSED = 2
# The run cannot go on by itself; and what a shell gives for Ctrl-C.
_FAILED, _STOPPED = 1, 130
# A config is a program: what may go wrong while it is run or overridden.
_CONFIG_ERRORS = (
  flags.Error,
  ImportError,
  OSError,
  SyntaxError,
  AttributeError,
  LookupError,
  NameError,
  TypeError,
  ValueError,
  ArithmeticError,
)
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
    for key in _overridden(argv):
      schema.check_key(key)
    _define_config(values, argv)
    (define or _define_flags)(values)
    rest = values(argv)
  except _CONFIG_ERRORS as error:
    refuse(_sentence(error))
  if rest[1:]:
    refuse(f"{rest[1]!r} is not a flag; flags begin with --.")
  _check_config(values["config"])
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
    parallel.initialize(
      values.coordinator_address, values.num_processes, values.process_id
    )
    if parallel.host():
      logging.disable(logging.WARNING)  # Host 0 says the same.
    config_lib.validate(values.config, parallel.num_devices())
    name = config_name(values["config"].config_filename)
    prepare = _pretraining
    if config_lib.is_evaluation(values.config):
      prepare = _evaluation
    workdir, job = prepare(values, name)
  except ValueError as error:
    refuse(str(error))
  try:
    job()
  except evaluate.DataError as error:
    release(error)
    refuse(str(error))
  except (ValueError, OSError, FloatingPointError) as error:
    release(error)
    _end(_FAILED, str(error))
  except KeyboardInterrupt as error:
    release(error)
    _end(_STOPPED, f"Stopped; the same command continues from {workdir}.")


def _pretraining(values: flags.FlagValues, name: str) -> _Job:
  """Workdir and what to do: to train, or to say what that would be."""
  config = values.config
  workdir = values.workdir or os.path.join("runs", name)
  if values.dry_run:
    text = describe.describe(config)
    return workdir, lambda: _print(text)
  data = inputs.open_inputs(config)
  pretrain.check(config, data)
  return workdir, lambda: pretrain.run(config, data, workdir)


def _evaluation(values: flags.FlagValues, name: str) -> _Job:
  """Workdir and what to do: to evaluate, or to say what that would be."""
  encoder, config = evaluate.find(values.config)
  workdir = values.workdir or evaluate.default_workdir(config, name)
  if values.dry_run:
    return workdir, lambda: _print(evaluate.describe(config, encoder))
  return workdir, lambda: evaluate.run(config, encoder, workdir, name)


def _print(text: str) -> None:
  if parallel.host() == 0:
    print(text)


def refuse(reason: str) -> NoReturn:
  """Ends the program with one line and exit code 2."""
  _end(_REFUSED, reason)


def release(error: BaseException) -> None:
  """Closes the batches that an error's traceback keeps open.

  To be called before the program ends: after that the threads of tf.data that
  wait for the interpreter are stopped, and closing would wait for them for
  ever.

  Args:
    error: as caught.
  """
  traceback.clear_frames(error.__traceback__)


def _define_config(values: flags.FlagValues, argv: Sequence[str]) -> None:
  config_flags.DEFINE_config_file(
    "config",
    help_string="File of configs/, with :preset where it has presets.",
    lock_config=True,
    flag_values=values,
    sys_argv=argv,
  )


def _define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string(
    "workdir",
    None,
    "Folder of checkpoints and records that all hosts share; runs/<config> by "
    "default.",
    flag_values=values,
  )
  flags.DEFINE_bool(
    "dry_run", False, "Print what follows from the config.", flag_values=values
  )
  flags.DEFINE_string(
    "coordinator_address",
    None,
    "host:port of process 0; on a TPU or in Slurm it is found.",
    flag_values=values,
  )
  flags.DEFINE_integer(
    "num_processes", None, "Processes in all.", flag_values=values
  )
  flags.DEFINE_integer(
    "process_id", None, "This process, from 0.", flag_values=values
  )


def _overridden(argv: Sequence[str]) -> list[str]:
  """Keys of the config that the command line sets."""
  matches = (re.match(r"--?(no)?config\.([^=]*)", text) for text in argv)
  return [match[2] for match in matches if match]


def _check_config(flag: flags.Flag) -> None:
  """Refuses what is no config; ml_collections fails at its first use only."""
  if not flag.present or not flag.config_filename:
    refuse("--config is missing, for example --config=configs/cpu.py.")
  path = flag.config_filename.partition(":")[0]
  if not os.path.isfile(path):
    refuse(f"--config={path} is not a file.")
  if not isinstance(flag.value, ml_collections.ConfigDict):
    refuse(f"get_config() of --config={path} does not return a ConfigDict.")


def _sentence(error: Exception) -> str:
  """What an error says; ml_collections puts a traceback before it."""
  text = str(error)
  if "Traceback (most recent call last)" in text:
    return text.strip().splitlines()[-1].partition(": ")[2]
  if isinstance(error, (flags.Error, ValueError, OSError)):
    return text
  return f"The config fails with {type(error).__name__}: {text}."


def _end(code: int, reason: str) -> NoReturn:
  """Ends the program with one line."""
  print(f"byol_jax: {' '.join(reason.split())}", file=sys.stderr)
  sys.exit(code)


if __name__ == "__main__":
  app.run(main, flags_parser=parse_flags)
