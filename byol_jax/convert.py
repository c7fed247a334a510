"""Converts weights: published ones into ours, ours for other programs.

python -m byol_jax.convert deepmind pretrain_res50x1.pkl runs/published
python -m byol_jax.convert torch runs/mine resnet.safetensors
python -m byol_jax.convert stablehlo runs/mine features.stablehlo

Each kind is a module in `interop/` with `add_arguments(parser)` and
`run(arguments)`, which returns the line that is printed at the end.
"""

import signal

if __name__ == "__main__":
  # The imports take seconds: Ctrl-C ends them without a traceback.
  signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from byol_jax import exits

# A kind's module, imported when it is asked for: some need TensorFlow's time.
_MODULES = {
  "deepmind": "deepmind",
  "torch": "torch_weights",
  "stablehlo": "stablehlo",
}


class _Parser(argparse.ArgumentParser):
  """Says in one line what is wrong."""

  def error(self, message: str) -> NoReturn:
    exits.refuse(f"{message[:1].upper()}{message[1:]}.")


def main(argv: Sequence[str]) -> None:
  """Converts one file or run.

  Args:
    argv: the program, a kind and its arguments.

  Raises:
    SystemExit: with code 2 after one line on the standard error, where an
      argument or a file is wrong.
  """
  kinds = ", ".join(_MODULES)
  if len(argv) > 1 and argv[1] in ("-h", "--help"):
    print(f"{__doc__}\nKinds: {kinds}; each has --help.")
    return
  if len(argv) < 2 or argv[1] not in _MODULES:
    given = f", not {argv[1]!r}" if len(argv) > 1 else ""
    exits.refuse(f"The first argument must be one of {kinds}{given}.")
  module = importlib.import_module(f"byol_jax.interop.{_MODULES[argv[1]]}")
  parser = _Parser(
    prog=f"byol_jax.convert {argv[1]}",
    description=module.__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  module.add_arguments(parser)
  try:
    said = module.run(parser.parse_args(argv[2:]))
  except (ValueError, OSError) as error:  # Also damaged checkpoints.
    exits.refuse(str(error))
  print(said)


if __name__ == "__main__":
  main(sys.argv)
