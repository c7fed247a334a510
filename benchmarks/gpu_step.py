"""The update step on one GPU, beside PyTorch's and beside the card's floors.

python -m benchmarks.gpu_step --encoder=resnet50 --image_px=224 \
  --batch_size=256 --compute_dtype=bfloat16 --out=r50.json --profile=trace
python -m benchmarks.gpu_step --encoder=resnet18 --image_px=32 --stem=cifar \
  --batch_size=256 --compute_dtype=bfloat16 --out=r18.json

Ours is the step that training runs, with and without the augmentation, on
pictures that lie on the device as uint8. PyTorch's (`torch_step`) has the same
networks, heads, LARS and target, in channels-last layout, with autocast where
ours is bfloat16, compiled by torch.compile, on views that are already made. All
take turns in this process, with a large matrix product and a copy: `matrix` is
the share of that product's rate that a step's operations reach (as the
compiler counts them in the program), `bytes` the share of that copy's rate that
the bytes reach which the compiled program reads and writes. Memory is what the
compiler planned of ours, and the most that PyTorch had. `--profile` writes a
trace of ours and prints the kernels that took longest. A CPU runs it too, to
see that it works; the first line says what it ran on.

A rented H100 with CUDA 13, in the repository, without TensorFlow:

pip install "jax[cuda13]" absl-py chex dm-haiku etils ml-collections optax
pip install orbax-checkpoint pillow scikit-learn tensorboard threadpoolctl tqdm
pip install filelock
pip install torch --index-url https://download.pytorch.org/whl/cu130
nvidia-smi --query-gpu=name,clocks.max.sm,power.limit --format=csv

Where both do not fit beside each other, --only=ours and --only=torch measure
them in two runs.
"""

import argparse
import os
import statistics
from collections.abc import Mapping

import jax

from benchmarks import (
  command,
  contenders,
  floors,
  kernels,
  our_step,
  timing,
)
from byol_jax import compiler, exits

# Sides of the matrices and sizes of the array that is copied: so large that
# nothing but the rate counts.
_PROBES = {"gpu": (8192, 2**29), "cpu": (1024, 2**24)}
_MATRIX, _COPY = "matrix product", "copy"
_TRACED_STEPS = 3


def main() -> None:
  """Times all and prints a table."""
  arguments = _arguments()
  compiler.prepare()
  # PyTorch needs its share of the same card.
  os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
  device = jax.devices()[0]
  if device.platform not in _PROBES:
    exits.refuse(f"This runs on a GPU or a CPU, not on a {device.platform}.")
  with command.refusing():
    contenders.check(arguments, device)
  print(_heading(device), flush=True)
  steps = contenders.find(arguments, device)
  probes = _probes(arguments, device)
  times = timing.turns(
    {
      **{k: lambda x=x: x.run(arguments.num_steps) for k, x in steps.items()},
      **{k: x.run for k, x in probes.items()},
    },
    arguments.repeats,
  )
  rates = {
    name: probe.amount / statistics.median(times[name].walls)
    for name, probe in probes.items()
  }
  print(
    "In turns with the steps:"
    f" {rates[_MATRIX] / 1e12:.4g} TFLOP/s in a product of"
    f" {arguments.compute_dtype} matrices, {rates[_COPY] / 1e9:.4g} GB/s in a"
    " copy, read and written."
  )
  rows = [
    _row(arguments, name, step, times, rates) for name, step in steps.items()
  ]
  timing.report(rows, arguments)
  if arguments.profile and contenders.AUGMENTING in steps:
    _profile(steps[contenders.AUGMENTING], arguments.profile)


def _arguments() -> argparse.Namespace:
  parser = command.parser(__doc__)
  add, count = parser.add_argument, command.count
  add("--encoder", choices=our_step.ENCODERS, default="resnet50")
  add("--stem", default="imagenet", choices=("imagenet", "cifar"))
  add("--image_px", type=count(command.SMALLEST_PX), default=224)
  add("--batch_size", type=count(), default=256)
  add("--hidden", type=count(), default=4096, help="Of the heads.")
  add("--compute_dtype", default="float32", choices=("float32", "bfloat16"))
  add("--only", default="", choices=("", "ours", "torch"))
  add("--without_torch", action="store_true", help="As --only=ours.")
  add("--eager", action="store_true", help="PyTorch without torch.compile.")
  add("--num_steps", type=count(), default=20, help="In one timed call.")
  add("--repeats", type=count(), default=5)
  trace = "Folder for a trace of some steps."
  add("--profile", type=command.new_folder, default="", help=trace)
  arguments = parser.parse_args()
  if arguments.without_torch:
    arguments.only = "ours"
  return arguments


def _heading(device: jax.Device) -> str:
  if device.platform == "gpu":
    return f"On one {device.device_kind}, jax {jax.__version__}."
  return (
    f"On a {device.platform.upper()}, jax {jax.__version__}: it shows that the"
    " script works, and no number below is a GPU's."
  )


def _probes(arguments, device: jax.Device) -> dict[str, floors.Probe]:
  side, size = _PROBES[device.platform]
  return {
    _MATRIX: floors.matrix_product(arguments.compute_dtype, side),
    _COPY: floors.copy(size),
  }


def _row(
  arguments,
  name: str,
  step: contenders.Contender,
  times: Mapping[str, timing.Times],
  rates: Mapping[str, float],
) -> dict:
  """A line of the table; None where nothing is known."""
  images = arguments.batch_size * arguments.num_steps
  singles = timing.Times(*([x / images for x in kind] for kind in times[name]))
  image_secs = statistics.median(singles.walls)
  row = {
    "step": name,
    "encoder": arguments.encoder,
    "stem": arguments.stem,
    "px": arguments.image_px,
    "batch": arguments.batch_size,
    "dtype": arguments.compute_dtype,
    "images/s": 1.0 / image_secs,
    "ms a step": 1e3 * image_secs * arguments.batch_size,
  }
  if arguments.stem == "cifar":
    row["epochs/s"] = 1.0 / image_secs / contenders.EPOCH
  if contenders.TORCH in times:
    row["over PyTorch"] = statistics.median(times[contenders.TORCH].walls) / (
      statistics.median(times[name].walls)
    )
  secs = image_secs * arguments.batch_size
  peak = step.peak()
  return {
    **row,
    "GFLOP an image": _per(step.flops, 1e9 * arguments.batch_size),
    "GB a step": _per(step.num_bytes, 1e9),
    "matrix %": _per(step.flops, rates[_MATRIX] * secs / 100.0),
    "bytes %": _per(step.num_bytes, rates[_COPY] * secs / 100.0),
    "peak GB": _per(peak, 1e9),
    **timing.singles(singles),
  }


def _per(amount: float | None, unit: float) -> float | None:
  return None if amount is None else amount / unit


def _profile(step: contenders.Contender, folder: str) -> None:
  """Traces a few steps and prints what took longest."""
  with jax.profiler.trace(folder):
    step.run(_TRACED_STEPS)
  file = kernels.find(folder)
  print(
    f"\n{_TRACED_STEPS} steps of {contenders.AUGMENTING}, from {file.name}:\n"
  )
  print(kernels.table(kernels.top(file)))


if __name__ == "__main__":
  main()
