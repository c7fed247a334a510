"""Checkpoints as the released code writes them, of its recorded state.

`data/released_update.npz` is described in test_byol.py; the state is that after
three updates. `data/released_features.npz` holds pictures and what the released
network (its `networks.py` on current Haiku, without training) makes of them
from that state; it was written beside this project, too.
"""

import pathlib
from typing import Any, NamedTuple

import dill
import jax
import numpy as np
import optax

_DATA = pathlib.Path(__file__).parent / "data"
_RECORDED = np.load(_DATA / "released_update.npz")
FEATURES = np.load(_DATA / "released_features.npz")
STEP = 3
TREES = ("online_params", "target_params", "online_state", "target_state")


class _ByolExperimentState(NamedTuple):
  online_params: Any
  target_params: Any
  online_state: Any
  target_state: Any
  opt_state: Any


class ScaleByLarsState(NamedTuple):
  mu: Any


class AddWeightDecayState(NamedTuple):
  pass


_ByolExperimentState.__module__ = "byol.byol_experiment"
ScaleByLarsState.__module__ = "byol.utils.optimizers"
AddWeightDecayState.__module__ = "byol.utils.optimizers"
CLASSES = (_ByolExperimentState, ScaleByLarsState, AddWeightDecayState)


def recorded(name):
  """One tree of the state, or its momentum."""
  tree = {}
  for key in _RECORDED.files:
    where, *path = key.split("|")
    if where == f"{STEP}/{name}":
      tree.setdefault(path[0], {})[path[-1]] = _RECORDED[key]
  return tree


def state():
  """The trees of the state by their names there."""
  return {name: recorded(name) for name in TREES}


def check_same(got, expected):
  """Asserts that two trees are one."""
  assert jax.tree.structure(got) == jax.tree.structure(expected)
  jax.tree.map(np.testing.assert_array_equal, got, expected)


def checkpoint(change=lambda tree: tree, **others):
  """What the released code saves.

  Args:
    change: of each tree.
    **others: in place of fields of the state, or of the rest.
  """
  fields = {name: change(recorded(name)) for name in TREES}
  momentum = ScaleByLarsState(mu=change(recorded("momentum")))
  chain = (AddWeightDecayState(), momentum, optax.EmptyState())
  fields = {**fields, "opt_state": chain}
  state = _ByolExperimentState(**{k: others.pop(k, fields[k]) for k in fields})
  return {
    "experiment_state": state,
    "step": STEP,
    "rng": jax.random.key_data(jax.random.key(0)),
    **others,
  }


def write(path, content=None, protocol=2):
  """Writes a file as the released code does."""
  path.write_bytes(dill.dumps(content or checkpoint(), protocol=protocol))
  return str(path)
