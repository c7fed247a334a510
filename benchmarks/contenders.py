"""The steps that `gpu_step` times: ours, and PyTorch's where there is one."""

import argparse
import importlib.util
from collections.abc import Callable
from typing import NamedTuple

import jax

from benchmarks import our_step

EPOCH = 50_000  # Pictures of CIFAR-10.
AUGMENTING, TORCH = "ours, augmenting", "PyTorch"


class Contender(NamedTuple):
  """A step to be timed.

  Attributes:
    run: makes so many updates and waits.
    peak: bytes of memory that it took; None where that is not known.
    flops: operations of one step; None where nobody counts them.
    num_bytes: read and written by one step; likewise.
  """

  run: Callable[[int], None]
  peak: Callable[[], int | None]
  flops: float | None = None
  num_bytes: float | None = None


def check(arguments: argparse.Namespace, device: jax.Device) -> None:
  """Refuses what cannot be timed.

  Args:
    arguments: of `gpu_step`.
    device: to run on.

  Raises:
    ValueError: nothing can run here, or our step makes no valid config.
  """
  if arguments.only == "torch":
    reason = _no_torch(device)
    if reason:
      raise ValueError(f"{reason}: there is nothing to time.")
  else:
    our_step.check(_choice(arguments, "device"), 1)


def find(
  arguments: argparse.Namespace, device: jax.Device
) -> dict[str, Contender]:
  """All steps that are asked for and can run here, by name.

  Args:
    arguments: of `gpu_step`, as `check` allows them.
    device: to run on.
  """
  steps = {}
  if arguments.only != "torch":
    where = "memory" if arguments.stem == "cifar" else "device"
    steps[AUGMENTING] = _ours(arguments, device, where)
    steps["ours, views given"] = _ours(arguments, device, "none")
  if arguments.only != "ours":
    reason = _no_torch(device)
    if reason:
      print(f"{reason}: nothing stands beside ours.")
    else:
      steps[TORCH] = _torch(arguments, device)
  return steps


def _ours(arguments, device: jax.Device, views: str) -> Contender:
  ours = our_step.build(_choice(arguments, views), [device])
  return Contender(
    run=ours.run,
    peak=lambda: our_step.peak_bytes(ours.compiled),
    # Before the compiler: afterwards a library's calls may count for nothing.
    flops=ours.lowered.cost_analysis()["flops"],
    num_bytes=ours.compiled.cost_analysis()["bytes accessed"],
  )


def _choice(arguments, views: str) -> our_step.Choice:
  return our_step.Choice(
    encoder=arguments.encoder,
    stem=arguments.stem,
    image_px=arguments.image_px,
    batch_size=arguments.batch_size,
    hidden=arguments.hidden,
    compute_dtype=arguments.compute_dtype,
    views=views,
    num_images=EPOCH,
  )


def _no_torch(device: jax.Device) -> str:
  """Why PyTorch cannot run beside ours; empty where it can."""
  if importlib.util.find_spec("torch") is None:
    return "PyTorch is not installed"
  import torch  # It need not be there.

  if device.platform == "gpu" and not torch.cuda.is_available():
    return "This PyTorch sees no GPU"
  return ""


def _torch(arguments, device: jax.Device) -> Contender:
  import torch

  from benchmarks import torch_step

  place = "cuda" if device.platform == "gpu" else "cpu"
  sizes = torch_step.Sizes(
    encoder=arguments.encoder,
    stem=arguments.stem,
    hidden=arguments.hidden,
    dtype=arguments.compute_dtype,
    compiled=not arguments.eager,
    device=place,
  )
  step = torch_step.build(sizes)
  shape = (arguments.batch_size, arguments.image_px, arguments.image_px, 3)
  views = [
    torch.randint(0, 256, shape, dtype=torch.uint8, device=place)
    for _ in range(2)
  ]

  def run(num_steps):
    for _ in range(num_steps):
      step(*views)
    if place == "cuda":
      torch.cuda.synchronize()

  def peak():
    return torch.cuda.max_memory_allocated() if place == "cuda" else None

  return Contender(run, peak)
