"""The update step on a CPU, beside PyTorch's eager one.

python -m benchmarks.cpu_step --batch_sizes 32 64 128 --stems cifar imagenet

Both do the whole update of BYOL with ResNet-18 on given views of 32 pixels:
both networks on both views, gradients, LARS, moving average. The two take turns
in this process on the same cores. `ratio` is our time over PyTorch's, of wall
clock and of processor time; `GFLOP` counts what each multiplies and adds, ours
as the compiler counts it, which is less than what is done where a window hangs
over an edge. Needs `pip install torch`, which nothing else here does.
"""

import argparse
import importlib.util
import os
import statistics
from collections.abc import Callable
from typing import NamedTuple

import jax

from benchmarks import command, our_step, timing
from byol_jax import compiler, exits

_ENCODER, _PX = "resnet18", 32
_STEMS = ("cifar", "imagenet")


class _Theirs(NamedTuple):
  """PyTorch's step.

  Attributes:
    run: one update; waits for the result.
    num_params: of the online network.
    gflop: of one update.
  """

  run: Callable[[], None]
  num_params: int
  gflop: float


def main() -> None:
  """Times both and prints a table."""
  arguments = _arguments()
  if importlib.util.find_spec("torch") is None:
    exits.refuse("PyTorch is what this compares with: pip install torch.")
  jax.config.update("jax_platforms", "cpu")  # Also beside a GPU.
  cores = sorted(os.sched_getaffinity(0))[: arguments.threads]
  os.sched_setaffinity(0, cores)  # XLA has as many threads as it has cores.
  if not arguments.plain:
    compiler.prepare()
  timing.report(
    [
      _compare(stem, batch_size, len(cores), arguments.repeats)
      for stem in arguments.stems
      for batch_size in arguments.batch_sizes
    ],
    arguments,
  )


def _arguments() -> argparse.Namespace:
  parser = command.parser(__doc__)
  add = parser.add_argument
  add("--batch_sizes", type=command.count(), nargs="+", default=[32])
  add("--stems", nargs="+", choices=_STEMS, default=list(_STEMS))
  add("--threads", type=command.count(), help="All cores by default.")
  add("--repeats", type=command.count(), default=7)
  add("--plain", action="store_true", help="Set no compiler flags.")
  return parser.parse_args()


def _compare(
  stem: str, batch_size: int, threads: int, repeats: int
) -> dict[str, object]:
  """One row of the table."""
  choice = our_step.Choice(_ENCODER, stem, _PX, batch_size, views="host")
  ours = our_step.build(choice, jax.devices()[:1])
  theirs = _theirs(stem, batch_size, threads)
  times = timing.turns(
    {"ours": lambda: ours.run(1), "theirs": theirs.run}, repeats
  )
  walls = [statistics.median(x.walls) for x in times.values()]
  processors = [statistics.median(x.processors) for x in times.values()]
  return {
    "encoder": _ENCODER,
    "stem": stem,
    "px": _PX,
    "dtype": choice.compute_dtype,
    "batch": batch_size,
    "hidden": choice.hidden,
    "threads": threads,
    "ours ms": 1e3 * walls[0],
    "PyTorch ms": 1e3 * walls[1],
    "ratio": walls[0] / walls[1],
    "ratio, processor": processors[0] / processors[1],
    "compile s": ours.compile_secs,
    "GFLOP": ours.compiled.cost_analysis()["flops"] / 1e9,
    "GFLOP, PyTorch": theirs.gflop,
    "parameters": ours.num_params,
    "parameters, PyTorch": theirs.num_params,
    **timing.singles(times["ours"]),
  }


def _theirs(stem: str, batch_size: int, threads: int) -> _Theirs:
  """PyTorch's step."""
  # Only here, so that the sentence about what is missing can be said.
  import torch
  from torch.utils import flop_counter

  from benchmarks import torch_step

  torch.set_num_threads(threads)
  torch.manual_seed(0)
  sizes = torch_step.Sizes(encoder=_ENCODER, stem=stem)
  networks = [torch_step.make_network(sizes) for _ in range(2)]
  step = torch_step.make_step(*networks, sizes)
  pair = [torch.rand(batch_size, _PX, _PX, 3) for _ in range(2)]
  with flop_counter.FlopCounterMode(display=False) as counter:
    step(*pair)
  num_params = sum(x.numel() for x in networks[0].parameters())
  return _Theirs(
    lambda: step(*pair), num_params, counter.get_total_flops() / 1e9
  )


if __name__ == "__main__":
  main()
