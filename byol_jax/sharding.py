"""States that the devices of a host share, each keeping a part.

As in ZeRO (arXiv 1910.02054): momentum, target average and the weights
themselves are updated in parts, and a step gathers whole weights first. Every
host, by which a process is meant, has all parts, so that nothing but gradients,
statistics and a few sums goes between hosts.
"""

from typing import Any, NamedTuple

import chex
import jax

from byol_jax import parallel, replicas
from byol_jax.parallel import AXIS

# Fewer rows than fill a tile of a TPU are not worth a gathering.
_ROWS = 8


class Hosts(NamedTuple):
  """Devices, which go by host along the mapped axis.

  Attributes:
    num_local: devices of each host.
    num_devices: of all hosts.
  """

  num_local: int = 1
  num_devices: int = 1


class Sharding(NamedTuple):
  """Who shares a state, and what a whole one looks like.

  Its methods are functions of one device, to be run under `parallel`, but for
  `state_shapes` and `copies`, which compute nothing. A weight is cut along all
  axes but its last, as rows; one whose rows cannot be dealt out evenly, and
  what has few, stays whole on all devices. With a number of devices that is no
  power of two that is most of a ResNet.

  Attributes:
    hosts: whose devices share; nothing is cut where each has but one.
    like: shapes of a whole `byol.State`.
    dtypes: what each of `like.online.params` may be rounded to in training
      (`network.weight_dtypes`).
  """

  hosts: Hosts = Hosts()
  like: Any = None
  dtypes: chex.ArrayTree = None

  @property
  def num_parts(self) -> int:
    """Into how many parts a state is cut."""
    return self.hosts.num_local

  def cut(self, tree: chex.ArrayTree) -> chex.ArrayTree:
    """This device's part of parameters, or of what is shaped like them."""
    if self.num_parts == 1:
      return tree
    place = jax.lax.axis_index(AXIS) % self.num_parts

    def part(x):
      if not self._is_cut(x):
        return x
      rows = x.reshape(-1, x.shape[-1])
      # Not an index of parts: libtpu would lay the gradients out anew.
      count = len(rows) // self.num_parts
      return jax.lax.dynamic_slice_in_dim(rows, place * count, count)

    return jax.tree.map(part, tree)

  def cut_state(self, state: Any) -> Any:
    """This device's part of a whole `byol.State`."""
    online, target, opt_state = self.cut(_shared(state))
    return _with(state, online, target, opt_state)

  def state_shapes(self) -> Any:
    """Of this device's part of a `byol.State`."""
    if self.num_parts == 1:
      return self.like

    def part(x):
      if not self._is_cut(x):
        return x
      rows = x.size // x.shape[-1] // self.num_parts
      return jax.ShapeDtypeStruct((rows, x.shape[-1]), x.dtype)

    return _with(self.like, *jax.tree.map(part, _shared(self.like)))

  def whole_state(self, state: Any) -> Any:
    """The whole `byol.State` of which this device has a part."""
    if self.num_parts == 1:
      return state
    joined = jax.tree.map(self._join, _shared(state), _shared(self.like))
    return _with(state, *joined)

  def with_weights(self, state: Any) -> Any:
    """A `byol.State` with whole weights, rounded as training may."""
    if self.num_parts == 1:
      return state

    def join(part, like, dtype):
      if not self._is_cut(like):
        return part
      return self._join(part.astype(dtype), like).astype(part.dtype)

    online, target = (
      jax.tree.map(
        join,
        getattr(state, name).params,
        getattr(self.like, name).params,
        {x: self.dtypes[x] for x in getattr(state, name).params},
      )
      for name in ("online", "target")
    )
    return _with(state, online, target, state.opt_state)

  def total(self, sums: chex.ArrayTree) -> chex.ArrayTree:
    """Adds what the devices have found of their parts, up to a factor.

    Over all hosts, as often as they have the parts, so that every device has
    the same bits; what devices have whole is counted by all of them.
    """
    return sums if self.num_parts == 1 else jax.lax.psum(sums, AXIS)

  def copies(self, state: Any) -> replicas.Copies:
    """A `byol.State` of which each device has a part, by who has the same.

    What is not in one of the two is () there.
    """
    if self.num_parts == 1:
      return replicas.Copies(state)
    shared = _shared(state)

    def chosen(wanted):
      return jax.tree.map(
        lambda x, like: x if self._is_cut(like) == wanted else (),
        shared,
        _shared(self.like),
      )

    return replicas.Copies(_with(state, *chosen(False)), chosen(True))

  def _is_cut(self, whole) -> bool:
    if whole.ndim < 2:
      return False
    rows = whole.size // whole.shape[-1]
    return rows % self.num_parts == 0 and rows >= _ROWS * self.num_parts

  def _join(self, part, like):
    if not self._is_cut(like):
      return part
    rows = jax.lax.all_gather(
      part, AXIS, axis_index_groups=self._groups(), tiled=True
    )
    return rows.reshape(like.shape)

  def _groups(self) -> list[list[int]]:
    """The places of each host's devices."""
    starts = range(0, self.hosts.num_devices, self.num_parts)
    return [list(range(x, x + self.num_parts)) for x in starts]


# Every device keeps everything.
NONE = Sharding()


def present_hosts() -> Hosts:
  """Those that are here."""
  return Hosts(parallel.num_local_devices(), parallel.num_devices())


def _shared(state):
  return state.online.params, state.target.params, state.opt_state


def _with(state, online, target, opt_state):
  return state._replace(
    online=state.online._replace(params=online),
    target=state.target._replace(params=target),
    opt_state=opt_state,
  )
