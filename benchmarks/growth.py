"""How the cost of a step grows with what it is made for.

python -m benchmarks.growth
python -m benchmarks.growth --axes=devices
python -m benchmarks.growth --topologies=v3:2x2,v3:4x4,v3:8x8,v3:16x16

The first lines are real steps of a small ResNet here, along one axis at a time:
the batch, the pixels of a view, the width and the blocks of the encoder, whose
values take turns in this process. The axis of devices has as many virtual CPU
devices, each in a process of its own, with the same pictures a device; since
they share the cores, what should stay is the processor's time an image. The
last table has the exponent e of cost = c * size^e, fitted through the
logarithms of all values: operations say what it should be. Memory is of a
device, as the compiler planned it.

With `--topologies` nothing runs: the step of a small ResNet is compiled for
slices of TPUs (as `byol_jax.preflight` does; extra `tpu`), with the same
pictures a device, and the numbers are of one device.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import jax
import numpy as np

from benchmarks import command, our_step, timing
from byol_jax import chips, compiler, lowering, preflight

_BASE = our_step.Choice(
  encoder="resnet20",
  stem="cifar",
  image_px=32,
  batch_size=32,
  hidden=256,
  projection_dim=64,
)
_BLOCKS = {3: "resnet8", 9: "resnet20"}
# What each axis is called, its values, and the step of one of them.
_AXES = {
  "batch": ((16, 32, 64, 128), lambda x: _BASE._replace(batch_size=x)),
  "pixels": (
    (256, 1024, 4096),
    lambda x: _BASE._replace(image_px=math.isqrt(x)),
  ),
  "width": ((1, 2, 4), lambda x: _BASE._replace(width=x)),
  "blocks": ((3, 9), lambda x: _BASE._replace(encoder=_BLOCKS[x])),
}
_DEVICES = (1, 2, 4, 8)
_IMAGES_A_DEVICE = 8
_COUNT_FLAG = "--xla_force_host_platform_device_count"
_COSTS = ("GFLOP a device", "MB a device", "ms a step", "CPU ms an image")


def main() -> None:
  """Measures along the axes and prints two tables."""
  arguments = _arguments()
  if arguments.topologies:
    timing.report(_slices(arguments), arguments)
    return
  compiler.prepare()
  rows = []
  for axis in arguments.axes:
    if axis == "devices":
      rows += _devices(arguments)
    elif axis == "here":  # What each process of that axis does.
      rows += _measured(axis, {jax.device_count(): _shared()}, arguments)
    else:
      values, make = _AXES[axis]
      rows += _measured(axis, {x: make(x) for x in values}, arguments)
  timing.report(rows, arguments)
  if "here" not in arguments.axes:
    print()
    timing.show(exponents(rows))


def exponents(rows: Sequence[dict]) -> list[dict]:
  """How each cost grows along each axis.

  Args:
    rows: with an `axis`, a `size` along it and the costs.

  Returns:
    A row of exponents for each axis; None where there is but one size.
  """
  found = []
  for axis in dict.fromkeys(row["axis"] for row in rows):
    own = [row for row in rows if row["axis"] == axis]
    sizes = [row["size"] for row in own]
    fitted = {
      name: _slope(sizes, [row[name] for row in own]) for name in _COSTS
    }
    found.append({"axis": axis, **fitted})
  return found


def _slope(sizes: Sequence[float], costs: Sequence[float]) -> float | None:
  if len(set(sizes)) < 2:
    return None
  return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def _arguments() -> argparse.Namespace:
  parser = command.parser(__doc__)
  add, count = parser.add_argument, command.count
  axes, px = [*_AXES, "devices"], count(command.SMALLEST_PX)
  add("--axes", nargs="+", default=axes, choices=[*axes, "here"])
  add(
    "--topologies", type=_slice_names, default=[], help="Such as v3:2x2,v3:4x4."
  )
  encoders, only = our_step.ENCODERS, "With --topologies."
  add("--encoder", choices=encoders, default="resnet18", help=only)
  add("--image_px", type=px, default=64, help=only)
  add("--num_steps", type=count(), default=2, help="In one timed call.")
  add("--repeats", type=count(), default=5)
  return parser.parse_args()


def _slice_names(text: str) -> list[str]:
  """The type of slices with commas between them."""
  names = text.split(",")
  for name in names:
    try:
      chips.find_chip(name)
    except ValueError as error:
      reason = str(error).removeprefix("--topology=").removesuffix(".")
      raise argparse.ArgumentTypeError(reason) from error
  return names


def _measured(axis: str, choices: dict, arguments) -> list[dict]:
  """A row of each size, whose steps take turns."""
  devices = jax.devices() if axis == "here" else jax.devices()[:1]
  steps = {x: our_step.build(choice, devices) for x, choice in choices.items()}
  times = timing.turns(
    {x: lambda s=s: s.run(arguments.num_steps) for x, s in steps.items()},
    arguments.repeats,
  )
  return [
    _row(axis, size, choices[size], (steps[size], times[size]), arguments)
    for size in choices
  ]


def _row(axis: str, size: int, choice, found, arguments) -> dict:
  step, times = found
  steps = arguments.num_steps
  processor = statistics.median(times.processors) / steps / choice.batch_size
  return {
    "axis": axis,
    "size": size,
    "encoder": choice.encoder,
    "width": choice.width,
    "stem": choice.stem,
    "px": choice.image_px,
    "dtype": choice.compute_dtype,
    "hidden": choice.hidden,
    "batch": choice.batch_size,
    "GFLOP a device": step.lowered.cost_analysis()["flops"] / 1e9,
    "MB a device": our_step.peak_bytes(step.compiled) / 1e6,
    "ms a step": 1e3 * statistics.median(times.walls) / steps,
    "CPU ms an image": 1e3 * processor,
    **timing.singles(times),
  }


def _shared() -> our_step.Choice:
  return _BASE._replace(batch_size=_IMAGES_A_DEVICE * jax.device_count())


def _devices(arguments) -> list[dict]:
  """Rows of processes with so many virtual devices."""
  rows = []
  for count in _DEVICES:
    kept = os.environ.get("XLA_FLAGS", "").split()
    kept = [x for x in kept if not x.startswith(_COUNT_FLAG)]
    flags = " ".join([*kept, f"{_COUNT_FLAG}={count}"])
    with tempfile.TemporaryDirectory() as folder:
      out = pathlib.Path(folder) / "rows.json"
      program = [sys.executable, "-m", "benchmarks.growth", "--axes=here"]
      program += [f"--num_steps={arguments.num_steps}", f"--out={out}"]
      done = subprocess.run(
        [*program, f"--repeats={arguments.repeats}"],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.DEVNULL,
        check=False,
      )
      if done.returncode:  # It has said why.
        raise SystemExit(done.returncode)
      rows += json.loads(out.read_text(encoding="utf-8"))["rows"]
  return [{**row, "axis": "devices"} for row in rows]


def _slices(arguments) -> list[dict]:
  """A row of each slice."""
  chips.prepare()
  rows = []
  for name in arguments.topologies:
    with command.refusing():
      where = chips.open_slice(name)
    rows.append(_slice(where, arguments))
    print(f"{name} is compiled.", file=sys.stderr, flush=True)
  return rows


def _slice(where: chips.Slice, arguments) -> dict:
  count = len(where.devices)
  choice = our_step.Choice(
    encoder=arguments.encoder,
    stem="imagenet",
    image_px=arguments.image_px,
    batch_size=_IMAGES_A_DEVICE * count,
    num_images=1_281_167,
  )
  job = preflight.Job(
    title=where.name,
    config=our_step.make_config(choice),
    sizes=lowering.Sizes(choice.num_images, 0),
    lowered=our_step.lower(choice, where.devices),
  )
  facts = preflight.measure(job, where)
  reduced = facts.collectives.get("all-reduce")
  return {
    "slice": where.name,
    "devices": count,
    "encoder": choice.encoder,
    "stem": choice.stem,
    "px": choice.image_px,
    "dtype": choice.compute_dtype,
    "batch": choice.batch_size,
    "GFLOP": facts.flops / 1e9,
    "M cycles": facts.cycles / 1e6,
    "MB read and written": facts.num_bytes / 1e6,
    "MB temporaries": facts.temporaries / 1e6,
    "all-reduces": float(reduced.count if reduced else 0),
    "MB all-reduced": reduced.num_bytes / 1e6 if reduced else 0.0,
    "compiled in s": float(facts.compile_secs),
  }


if __name__ == "__main__":
  main()
