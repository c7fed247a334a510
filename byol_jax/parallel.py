"""Many devices, many hosts: the only module that knows how many there are."""

import collections
import functools
import importlib.util
import itertools
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import chex
import jax
import numpy as np
from jax.experimental import multihost_utils

from byol_jax import platforms
from byol_jax.types import Batch

# The mapped axis: all devices of all hosts.
AXIS = "devices"
# After so long without a heartbeat, of which there is one in half that time,
# JAX takes a host for dead and aborts the others; `peers` has to be earlier.
_SILENCE_SECS = 100

_T = TypeVar("_T")


def initialize(
  coordinator_address: str | None = None,
  num_processes: int | None = None,
  process_id: int | None = None,
) -> None:
  """Joins the other hosts' processes, where there are any.

  Explicit arguments come first, then what a cluster says (Cloud TPU, Slurm,
  Open MPI, through `jax.distributed`); otherwise this process stays alone. To
  be called before anything asks for a device.

  Args:
    coordinator_address: "host:port" of process 0.
    num_processes: processes in all.
    process_id: this process, from 0.

  Raises:
    ValueError: some of the three are given but not all, or a cluster says no
      number of processes.
  """
  explicit = (coordinator_address, num_processes, process_id)
  given = [value is not None for value in explicit]
  if any(given) and not all(given):
    raise ValueError(
      "coordinator_address, num_processes and process_id go together: got"
      f" {explicit}."
    )
  if all(given):
    jax.distributed.initialize(
      coordinator_address,
      num_processes,
      process_id,
      heartbeat_timeout_seconds=_SILENCE_SECS,
    )
  elif _in_cluster():
    jax.distributed.initialize(heartbeat_timeout_seconds=_SILENCE_SECS)


def num_devices() -> int:
  """Number of devices of all hosts."""
  return jax.device_count()


def num_local_devices() -> int:
  """Number of devices of this host."""
  return jax.local_device_count()


def is_cpu() -> bool:
  """Whether the devices are a CPU's."""
  return platforms.name() == "cpu"


def num_hosts() -> int:
  """Number of processes."""
  return jax.process_count()


def host() -> int:
  """This process's number; host 0 writes the logs."""
  return jax.process_index()


def pmap(
  function: Callable,
  donate: bool = False,
  devices: Sequence[jax.Device] | None = None,
) -> Callable:
  """Runs a pure per-device function on all devices, one axis named `AXIS`.

  Args:
    function: its arguments and results are per device.
    donate: hand the first argument's memory to the results.
    devices: others than all that are here, to compile for.

  Returns:
    The function of arrays with a leading axis of local devices.
  """
  donated = (0,) if donate else ()
  return jax.pmap(function, AXIS, devices=devices, donate_argnums=donated)


def one_device(function: Callable) -> Callable:
  """Gives a per-device function its axis where there is but one device.

  For initialisation and shape inference outside `pmap`.

  Args:
    function: its arguments and results are per device.

  Returns:
    The function of the same arguments.
  """

  def run(*args):
    wide = jax.tree.map(lambda x: x[None], args)
    result = jax.vmap(function, axis_name=AXIS)(*wide)
    return jax.tree.map(lambda x: x[0], result)

  return run


def replicate(tree: chex.ArrayTree) -> chex.ArrayTree:
  """Copies a tree of host or device arrays to every local device."""
  count = jax.local_device_count()

  def copy(x):
    x = np.asarray(x)
    return jax.device_put(np.broadcast_to(x[None], (count, *x.shape)), _local())

  return jax.tree.map(copy, tree)


def first(tree: chex.ArrayTree) -> chex.ArrayTree:
  """One replica of a replicated tree, as NumPy arrays on the host."""
  # Indexing a replicated array would gather it from all devices.
  shards = jax.tree.map(lambda x: x.addressable_shards[0].data, tree)
  return jax.tree.map(lambda x: np.squeeze(x, axis=0), jax.device_get(shards))


def shard(batch: Batch) -> Batch:
  """Spreads a host's batch over its devices.

  Args:
    batch: arrays [local_batch, ...]; local_batch is a multiple of the number of
      local devices.

  Returns:
    Device arrays [local_devices, local_batch / local_devices, ...].
  """
  count = jax.local_device_count()
  return {
    name: jax.device_put(x.reshape(count, -1, *x.shape[1:]), _local())
    for name, x in batch.items()
  }


def gather(x: chex.Array) -> np.ndarray:
  """All hosts' rows of a result: [local_devices, rows, ...] to [all, ...].

  Every host must call it, with equal shapes.
  """
  if jax.process_count() == 1:
    return np.asarray(x).reshape(-1, *x.shape[2:])
  wide = _gather_everywhere()(x)
  return np.squeeze(np.asarray(wide.addressable_shards[0].data), axis=0)


def host_of(place: int) -> int:
  """Which host has a place in the mapped axis, whose devices go by host."""
  return place // jax.local_device_count()


def everywhere(value: int) -> np.ndarray:
  """What each host says, [num_hosts] int32; every host must call it."""
  count = jax.local_device_count()
  rows = np.full((count, 1), value, np.int32)
  return gather(jax.device_put(rows, _local()))[::count]


def agreed_to_stop(call: int) -> bool:
  """Whether all hosts are to stop at this call, after a notice to any of them.

  JAX takes SIGTERM for that notice, tells the others, and all stop at the same
  call: a later one than any has made.

  Args:
    call: how often this was called before; every host calls it equally often.
  """
  return multihost_utils.reached_preemption_sync_point(call)


def prefetch(items: Iterable[_T], place: Callable[[_T], _T]) -> Iterator[_T]:
  """Places items on the devices two ahead of where they are used."""
  placed = map(place, items)
  queue = collections.deque(itertools.islice(placed, 2))
  while queue:
    yield queue.popleft()
    queue.extend(itertools.islice(placed, 1))


@functools.cache
def _gather_everywhere() -> Callable:
  """One function for all calls, so that each shape is compiled once."""
  return pmap(lambda row: jax.lax.all_gather(row, AXIS, tiled=True))


def _local() -> jax.sharding.NamedSharding:
  """Leading axis over this host's devices, as `pmap` wants it."""
  mesh = jax.sharding.Mesh(np.array(jax.local_devices()), (AXIS,))
  return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(AXIS))


def _in_cluster() -> bool:
  """Whether the environment speaks of more than one process, or of a TPU."""
  # An allocation alone has no step: what runs there without srun is alone.
  if "SLURM_STEP_NODELIST" in os.environ and _count("SLURM_NTASKS") > 1:
    return True
  if _count("OMPI_COMM_WORLD_SIZE") > 1:
    return True
  if "JAX_COORDINATOR_ADDRESS" in os.environ:
    return True
  nodes = (pathlib.Path("/dev/accel0"), pathlib.Path("/dev/vfio/0"))
  has_tpu = any(node.exists() for node in nodes)
  wanted = os.environ.get("JAX_PLATFORMS", "tpu").startswith("tpu")
  return has_tpu and wanted and importlib.util.find_spec("libtpu") is not None


def _count(name: str) -> int:
  """A number of processes in the environment; 1 where it says nothing."""
  text = os.environ.get(name, "") or "1"
  if not text.isdecimal():
    raise ValueError(
      f"{name}={text} in the environment is no number of processes: correct it,"
      " or unset it for a run of one process."
    )
  return int(text)
