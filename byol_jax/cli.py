"""The command `byol`, which is also `python -m byol_jax`.

byol train --config=configs/cpu.py        learns from pictures without labels
byol preview --config=configs/cpu.py      draws what the network sees
byol evaluate --config=configs/eval/knn.py --config.encoder=runs/cpu
byol extract --encoder=runs/cpu --images=pictures    writes features
byol inspect --encoder=runs/cpu --images=pictures    shows them on one page
byol convert torch runs/cpu encoder.safetensors      other programs' weights
byol preflight --config=configs/imagenet.py --topology=v3:16x16
byol experiment table5b --scale=desk      a table or figure of the paper

Each has --help. A config is looked up in the working directory, then in the
package. `byol train` is `python -m byol_jax.main`, and so on.
"""

import importlib.util
import runpy
import signal
import sys
from importlib import metadata
from typing import NoReturn

from byol_jax import exits, shipped

# Modules that are run, and the flags that they are given first.
_COMMANDS = {
  "train": ("byol_jax.main", "--job=train"),
  "preview": ("byol_jax.preview",),
  "evaluate": ("byol_jax.main", "--job=evaluate"),
  "extract": ("byol_jax.extract",),
  "convert": ("byol_jax.convert",),
  "inspect": ("byol_jax.inspect",),
  "preflight": ("byol_jax.preflight",),
}
_EXPERIMENT = "experiment"
# With this a file of experiments/ is a command.
_MAIN = 'if __name__ == "__main__":'


def main() -> None:
  """Runs the command that the first argument names.

  Raises:
    SystemExit: as that command; with code 2 after one line on the standard
      error where there is no such command.
  """
  # Imports take seconds: Ctrl-C ends them without a traceback.
  signal.signal(signal.SIGINT, signal.SIG_DFL)
  word, *rest = sys.argv[1:] or [""]
  if word in ("-h", "--help", "help"):
    # As of `byol --help | head`.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    print(__doc__.rstrip())
  elif word == "--version":
    print(f"byol-jax {_version()}")
  elif word == _EXPERIMENT:
    _run_experiment(rest)
  elif word in _COMMANDS:
    module, *first = _COMMANDS[word]
    _run(module, [*first, *rest])
  else:
    _refuse("The first argument", [*_COMMANDS, _EXPERIMENT], word)


def experiments() -> list[str]:
  """Names of the tables and figures, and of what else can be run there."""
  folder = shipped.root() / "experiments"
  return sorted(
    path.stem
    for path in folder.glob("*.py")
    if _MAIN in path.read_text(encoding="utf-8")
  )


def _run_experiment(arguments: list[str]) -> None:
  name, *rest = arguments or [""]
  known = experiments()
  if name in ("-h", "--help"):
    print(f"byol {_EXPERIMENT} NAME --scale=desk; NAME is of {_listed(known)}.")
  elif name not in known:
    _refuse("The experiment", known, name)
  else:
    # A clone that is not installed has them beside the package.
    ours = importlib.util.find_spec("byol_jax.experiments") is not None
    _run(f"{'byol_jax.' * ours}experiments.{name}", rest)


def _run(module: str, arguments: list[str]) -> None:
  """As `python -m` does."""
  sys.argv[1:] = arguments
  runpy.run_module(module, run_name="__main__", alter_sys=True)


def _refuse(what: str, known: list[str], given: str) -> NoReturn:
  but = f", not {given!r}" if given else ""
  exits.refuse(f"{what} must be one of {_listed(known)}{but}.")


def _listed(names: list[str]) -> str:
  return ", ".join(names)


def _version() -> str:
  try:
    return metadata.version("byol-jax")
  except metadata.PackageNotFoundError:
    return "of a folder that is not installed"


if __name__ == "__main__":
  main()
