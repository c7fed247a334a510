"""Checkpoints of the released code (deepmind-research, `byol`) as our states.

The names and shapes of its parameters are ours, since `networks/` took them
over; what differs is how a state is put together.
"""

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from byol_jax import byol, jobs, manifest, optimizers, parallel
from byol_jax.interop import (
  inert,
  pickled_values,
  recognition,
  restricted_pickle,
)
from byol_jax.networks import network, resnet
from byol_jax.types import Variables

_TREES = ("online_params", "target_params", "online_state", "target_state")
# What has the modules of which tree.
_TWINS = {
  "target_params": "online_params",
  "target_state": "online_state",
  "momentum": "online_params",
}
# Differences, or keys of a dict, that one message names.
_MAX_NAMED = 3
# A ResNet-200 has about 600 modules, of up to 3 arrays. The limit is for files
# that name the same modules and arrays again and again.
_MAX_MODULES, _MAX_LEAVES = 5000, 10


class Checkpoint(NamedTuple):
  """What a file of the released code holds, under our names.

  Attributes:
    step: number of the next update.
    spec: shape of the network.
    state: of the run, NumPy arrays.
    lacking: "target_params projector" for each head that a part of the state
      lacks: the target then begins with the online network's, the momentum
      with 0.
  """

  step: int
  spec: network.Spec
  state: byol.State
  lacking: tuple[str, ...]


def read(path: str) -> Checkpoint:
  """Reads a checkpoint of pre-training.

  Args:
    path: of a pickle, which is read as data: nothing in it is run.

  Returns:
    Its network, whatever it was called, under the name of ours.

  Raises:
    PickleError: it is no such checkpoint, or of a network that ours is not.
    OSError: the file cannot be read.
  """
  loaded = restricted_pickle.load(path, pickled_values.FUNCTIONS)
  if not isinstance(loaded, dict) or "experiment_state" not in loaded:
    raise recognition.foreign(f"it holds {_kind(loaded)}")
  fields = loaded["experiment_state"]
  if not isinstance(fields, dict) or not {*_TREES, "opt_state"} <= set(fields):
    raise recognition.foreign(f"its state is {_kind(fields)}")
  step = _step(loaded.get("step"))
  trees = {name: _modules(fields[name], name) for name in _TREES}
  trees["momentum"] = _modules(_momentum(fields["opt_state"]), "opt_state")
  lacking = _complete(trees)
  spec = recognition.recognise(trees["online_params"])
  renamed = {name: _renamed(x, spec.encoder) for name, x in trees.items()}
  return Checkpoint(step, spec, _state(step, spec, renamed), lacking)


def _kind(value: Any) -> str:
  if isinstance(value, dict):
    some = ", ".join(itertools.islice(value, _MAX_NAMED))
    return f"a dict of {inert.shown(some) or 'nothing'}"
  return f"something of type {type(value).__name__}"


def _step(value: Any) -> int:
  value = inert.built(value)
  if isinstance(value, np.ndarray) and value.shape == ():
    value = value.item()
  if type(value) is not int or not 0 <= value <= jobs.MAX_STEPS:
    raise recognition.foreign("its step is not a number of steps")
  return value


def _modules(tree: Any, name: str) -> recognition.Modules:
  """Two levels of names over arrays."""
  if not isinstance(tree, dict):
    raise recognition.foreign(f"{name} is {_kind(tree)}")
  if len(tree) > _MAX_MODULES:
    raise recognition.foreign(f"{name} has {len(tree)} modules")
  found = {}
  for module, leaves in tree.items():
    if not isinstance(leaves, dict):
      raise recognition.foreign(f"{name} has {_kind(leaves)} as a module")
    if len(leaves) > _MAX_LEAVES:
      raise recognition.foreign(f"{name} has a module of {len(leaves)} arrays")
    arrays = {key: inert.built(x) for key, x in leaves.items()}
    if not all(isinstance(x, np.ndarray) for x in arrays.values()):
      raise recognition.foreign(f"{name} has something else than arrays")
    if not all(x.size for x in arrays.values()):
      raise recognition.foreign(f"{name} has an array without numbers")
    found[module] = arrays
  return found


def _momentum(parts: Any) -> Any:
  """Of LARS, whose state is one of a chain's."""
  for part in parts if isinstance(parts, list | tuple) else ():
    if isinstance(part, dict) and "mu" in part:
      return part["mu"]
  raise recognition.foreign("opt_state has no momentum of LARS")


def _complete(trees: dict[str, recognition.Modules]) -> tuple[str, ...]:
  """Adds the heads that a part of the state lacks; which they were.

  No evaluation needs them, and the target's predictor and classifier nothing.
  """
  lacking = {}
  for name, twin in _TWINS.items():
    heads = trees[twin].keys() - network.encoder_part(trees[twin]).keys()
    for module in sorted(heads - trees[name].keys()):
      lacking[f"{name} {module.partition('/')[0]}"] = None
      same = trees[twin][module]
      zeros = {key: np.zeros_like(x) for key, x in same.items()}
      trees[name][module] = zeros if name == "momentum" else same
  return tuple(lacking)


def _renamed(tree: recognition.Modules, encoder: str) -> recognition.Modules:
  """The encoder's modules under the name of ours."""
  ours = resnet.ARCHITECTURES[encoder].name
  found = dict(tree)
  for name in network.encoder_part(tree):
    rest = name.partition("/~/")[2]
    rest = recognition.STEM if rest == recognition.OTHER_STEM else rest
    found[f"{ours}/~/{rest}"] = found.pop(name)
  return found


def _state(
  step: int, spec: network.Spec, trees: Mapping[str, recognition.Modules]
) -> byol.State:
  """A state of ours, if the parts are those of one."""
  like = _shapes(spec)
  count = np.asarray(step, np.int32)
  state = byol.State(
    step=count,
    online=Variables(trees["online_params"], trees["online_state"]),
    target=Variables(trees["target_params"], trees["target_state"]),
    opt_state=optax.tree.set(
      like.opt_state, trace=trees["momentum"], count=count
    ),
  )
  found = manifest.differences(state, like)
  if found:
    raise recognition.foreign(
      f"as {spec.encoder} of width {spec.width_multiplier},"
      f" {inert.shown('; '.join(found[:_MAX_NAMED]))}"
    )
  return state


def _shapes(spec: network.Spec) -> byol.State:
  """Of a run's state; they do not depend on the pictures' size."""
  net = network.make_network(spec, parallel.AXIS)
  optimizer = optimizers.lars(optax.constant_schedule(0.0), 0.0, 0.9, 1e-3)
  return jax.eval_shape(
    parallel.one_device(
      lambda x: byol.init_state(net, optimizer, jax.random.key(0), x)
    ),
    jax.ShapeDtypeStruct((2, 64, 64, 3), np.float32),
  )
