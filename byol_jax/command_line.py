"""What is wrong with a command line or a config file, in one sentence."""

import re
from collections.abc import Mapping, Sequence

from absl import flags
from ml_collections import config_dict

from byol_jax import rules, schema, shipped

# A config is a program: what may go wrong while it is run or overridden. All
# that Python raises by itself, but for the end of the program.
FAILURES = (
  flags.Error,
  config_dict.MutabilityError,
  config_dict.RequiredValueError,
  ArithmeticError,
  AssertionError,
  AttributeError,
  BufferError,
  EOFError,
  ImportError,
  LookupError,
  MemoryError,
  NameError,
  OSError,
  ReferenceError,
  RuntimeError,
  StopIteration,
  SyntaxError,
  SystemError,
  TypeError,
  ValueError,
)
_MAX_PORT = 65535
# What a config is for.
JOBS = ("train", "evaluate")
# As ml_collections quotes an error of a config.
_QUOTED = "Traceback (most recent call last)"
_OVERRIDE = re.compile(r"--?(?:no)?config\.([^=]*)(?:=(.*))?", re.DOTALL)
_CONFIG = re.compile(r"(--?(?:config|compare))(?:=(.*))?", re.DOTALL)
_WRONG_VALUE = re.compile(r"flag --config\.([^=]*)=")


def check_keys(argv: Sequence[str]) -> None:
  """Refuses a command line that sets what no config has.

  Args:
    argv: the program and its arguments.

  Raises:
    ValueError: naming the key and the closest one that there is.
  """
  for key, _ in _overrides(argv):
    schema.check_key(key)


def find_files(argv: Sequence[str]) -> list[str]:
  """Replaces config files that only the package has by where they are.

  Args:
    argv: the program and its arguments.

  Raises:
    ValueError: naming a config file that is not there.
  """
  found, flag = [], ""
  for text in argv:
    match = _CONFIG.fullmatch(text)
    if match and match[2]:
      text = f"{match[1]}={_found(match[1], match[2])}"
    elif flag and not text.startswith("-"):
      text = _found(flag, text)  # The value is an argument of its own.
    flag = match[1] if match and match[2] is None else ""
    found.append(text)
  return found


def check_config(flag: flags.Flag) -> None:
  """Refuses what is no config; ml_collections fails at its first use only.

  Args:
    flag: of a config file, parsed.

  Raises:
    ValueError: it names none; besides that, whatever the file raises.
  """
  if not flag.present or not flag.config_filename:
    raise ValueError(
      f"--{flag.name} is missing, for example --{flag.name}=configs/cpu.py."
    )
  path = shipped.name(flag.config_filename.partition(":")[0])
  # Of a config that failed, this raises the error.
  copy = getattr(flag.value, "copy_and_resolve_references", None)
  if not isinstance(flag.value, config_dict.ConfigDict):
    raise ValueError(
      f"get_config() of --{flag.name}={path} does not return a ConfigDict."
    )
  copy().to_dict()  # What is required and not set is missed here.


def sentence(error: BaseException, argv: Sequence[str]) -> str:
  """Says what went wrong while a command line was parsed.

  Args:
    error: one of `FAILURES`.
    argv: the program and its arguments.
  """
  while _QUOTED in str(error) and error.__context__:
    error = error.__context__
  if isinstance(error, (KeyError, AttributeError)):
    for key, _ in _overrides(argv):
      # They name a section or the last part of a key.
      if str(error).strip("'\"") in key.split("."):
        return f"This config has no key {key}: it is another kind's."
  if isinstance(error, flags.IllegalFlagValueError):
    return _of_wrong_value(str(error), argv)
  if isinstance(error, (flags.Error, ValueError, OSError)) and str(error):
    return str(error)
  reason = f": {error}" if str(error) else ""
  return f"The config fails with {type(error).__name__}{reason}."


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of training and evaluating, but for the config's.

  Args:
    values: where they are put.
  """
  here = {"flag_values": values}
  flags.DEFINE_string(
    "workdir",
    None,
    "Folder of checkpoints and records that all hosts share; runs/<config> by "
    "default.",
    **here,
  )
  flags.register_validator(
    "workdir",
    lambda path: path != "",
    "must not be empty; leave it out for runs/<config>.",
    **here,
  )
  flags.DEFINE_bool(
    "dry_run", False, "Print what follows from the config.", **here
  )
  flags.DEFINE_enum(
    "job", None, JOBS, "Refuse a config that is for the other.", **here
  )
  flags.DEFINE_bool(
    "show_views",
    True,
    "Show a few views in TensorBoard.",
    **here,
  )
  flags.DEFINE_string(
    "wandb",
    None,
    "Project of Weights & Biases that gets the numbers, too.",
    **here,
  )
  _define_host_flags(here)


def is_address(text: str) -> bool:
  """Whether a text is host:port."""
  host, _, port = text.rpartition(":")
  digits = port.isascii() and port.isdigit()
  return bool(host) and digits and 0 < int(port) <= _MAX_PORT


def _define_host_flags(here: Mapping[str, flags.FlagValues]) -> None:
  """Where the processes of a run on several hosts meet."""
  flags.DEFINE_string(
    "coordinator_address",
    None,
    "host:port of process 0; on a TPU or in Slurm it is found.",
    **here,
  )
  flags.register_validator(
    "coordinator_address",
    lambda text: text is None or is_address(text),
    "must be host:port, such as 10.0.0.1:1234.",
    **here,
  )
  flags.DEFINE_integer("num_processes", None, "Processes in all.", **here)
  flags.DEFINE_integer("process_id", None, "This process, from 0.", **here)


def _found(flag: str, value: str) -> str:
  """A config file with its preset, where there is such a file."""
  path, colon, preset = value.partition(":")
  try:
    return shipped.find_config(path) + colon + preset
  except ValueError as error:
    raise ValueError(f"{flag}={path} {error}") from error


def _overrides(argv: Sequence[str]) -> list[tuple[str, str | None]]:
  """Keys of the config that the command line sets, and their texts."""
  matches = map(_OVERRIDE.fullmatch, argv)
  return [match.groups() for match in matches if match]


def _of_wrong_value(text: str, argv: Sequence[str]) -> str:
  """With what is allowed, where the text is that of a setting."""
  match = _WRONG_VALUE.match(text)
  for key, value in _overrides(argv) if match else ():
    if key == match[1] and value is not None and value in text:
      return f"{key} must be {_allowed(key)}, not {rules.shown(value)}."
  return text


def _allowed(key: str) -> str:
  """What a key may be in any kind of config, to be read after "must be"."""
  kinds = (schema.RULES, *schema.EVALUATION_RULES.values())
  return " or ".join(
    dict.fromkeys(known[key].allowed for known in kinds if key in known)
  )
