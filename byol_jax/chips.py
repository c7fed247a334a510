"""TPU slices by name, as libtpu describes them where there is no TPU."""

import importlib.util
import math
import os
import re
from importlib import metadata
from typing import NamedTuple

import jax
from jax.experimental import topologies

# Without them libtpu looks for its own machine: it asks the cloud's metadata,
# or waits for another process that has loaded it.
_ENVIRONMENT = {
  "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
  "TPU_ACCELERATOR_TYPE": "v4-16",
  "TPU_SKIP_MDS_QUERY": "1",
  "TPU_WORKER_HOSTNAMES": "localhost",
}
_NAME = re.compile(r"(\w+):(\d+(?:x\d+){1,2})")
_GIB = 2**30
# The process dies in these while it compiles the step of a ResNet-50 for v6e.
_CRASHING = ("0.0.42", "0.0.42.1")


class Chip(NamedTuple):
  """A generation of TPUs; all numbers are of one of JAX's devices.

  Attributes:
    max_chips: of the largest slice.
    gibibytes: of HBM that a program may use: what libtpu 0.0.42 calls available
      when one asks for more.
    gigahertz: clock; published for v2 to v4, else the published bfloat16 rate
      over the multiplications and additions of a cycle.
    device: what a device is.
    config: libtpu's name of the way the cores are used.
  """

  max_chips: int
  gibibytes: float
  gigahertz: float
  device: str
  config: str = "default"


CHIPS = {
  "v2": Chip(256, 7.48, 0.70, "core"),
  "v3": Chip(1024, 15.48, 0.94, "core"),
  # JAX takes both cores for one device.
  "v4": Chip(4096, 30.75, 1.05, "chip of two cores", "megacore"),
  "v5e": Chip(256, 15.75, 1.50, "chip"),
  "v5p": Chip(8960, 95.74, 1.75, "chip of two cores", "megacore"),
  "v6e": Chip(256, 31.25, 1.75, "chip"),
}


class Slice(NamedTuple):
  """TPUs that work together.

  Attributes:
    name: such as "v3:16x16".
    chip: what they are.
    devices: of JAX; nothing can be put on them.
  """

  name: str
  chip: Chip
  devices: tuple[jax.Device, ...]


def usable_bytes(chip: Chip) -> int:
  """HBM of one device that a program may use."""
  return int(chip.gibibytes * _GIB)


def prepare() -> None:
  """Keeps JAX and libtpu from looking for devices; before either is used."""
  jax.config.update("jax_platforms", "cpu")
  for key, value in _ENVIRONMENT.items():
    os.environ.setdefault(key, value)


def find_chip(name: str) -> Chip:
  """The generation of a slice.

  Args:
    name: such as "v3:16x16", generation and chips along each axis.

  Raises:
    ValueError: no such generation, or more chips than there are.
  """
  match = _NAME.fullmatch(name)
  if not match or match[1] not in CHIPS:
    raise ValueError(
      f"--topology={name} is no slice of TPUs: it must be one of"
      f" {', '.join(CHIPS)}, a colon and the chips along each axis, such as"
      " v3:16x16 or v4:2x2x1."
    )
  chip = CHIPS[match[1]]
  if not 0 < _count(name) <= chip.max_chips:
    raise ValueError(
      f"--topology={name} has {_count(name):,} chips: a slice of {match[1]} has"
      f" 1 to {chip.max_chips:,}."
    )
  return chip


def open_slice(name: str) -> Slice:
  """Describes a slice; `prepare` comes first.

  Args:
    name: as in `find_chip`.

  Raises:
    ValueError: no such slice, or libtpu is missing or dies of it.
  """
  chip = find_chip(name)
  if importlib.util.find_spec("libtpu") is None:
    raise ValueError(
      "To compile for a TPU libtpu is needed: pip install 'byol-jax[tpu]'."
    )
  version = metadata.version("libtpu")
  if name.startswith("v6e:") and version in _CRASHING:
    raise ValueError(
      f"--topology={name}: libtpu {version} crashes on it; a newer one, in an"
      " environment of its own, does not: pip install libtpu==0.0.52."
    )
  options = {"chip_config_name": chip.config}
  if _count(name) == 1:
    options["chips_per_host_bounds"] = (1, 1, 1)
  try:
    described = topologies.get_topology_desc(
      platform="tpu", topology_name=name, **options
    )
  except jax.errors.JaxRuntimeError as error:
    reason = str(error).partition("\n")[0].partition(": ")[2]
    raise ValueError(f"--topology={name} is no slice: {reason}.") from error
  return Slice(name, chip, tuple(described.devices))


def _count(name: str) -> int:
  return math.prod(map(int, name.partition(":")[2].split("x")))
