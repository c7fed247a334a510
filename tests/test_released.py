"""Checkpoints of the released code are read whole, or refused."""

import collections
import functools
import pickle
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import released_files
from haiku._src import data_structures

from byol_jax.interop import inert, released

NAME = "tiny_res_net"


@pytest.fixture(scope="module", autouse=True)
def _traced_once():
  """The network's shapes, which take a second."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(released, "_shapes", functools.cache(released._shapes))
    yield


def _flat(tree):
  return data_structures.FlatMap(tree)


def _frozen(tree):
  return data_structures.frozendict(
    {name: data_structures.frozendict(leaves) for name, leaves in tree.items()}
  )


def _ordered(tree):
  return collections.OrderedDict(tree)


def _on_device(tree):
  return jax.tree.map(jnp.asarray, tree)


def _renamed(tree):
  return {
    name.replace(NAME, "res_net50").replace(
      "initial_conv", "initial_conv_1"
    ): leaves
    for name, leaves in tree.items()
  }


@pytest.mark.parametrize(
  "change", [_flat, _frozen, _ordered, _on_device, _renamed]
)
def test_trees_are_read_in_any_form(tmp_path, change):
  content = released_files.checkpoint(change)
  found = released.read(released_files.write(tmp_path / "x.pkl", content))
  released_files.check_same(
    found.state.online.params, released_files.state()["online_params"]
  )
  released_files.check_same(
    found.state.target.stats, released_files.state()["target_state"]
  )


OLD_NAMES = {
  b"numpy._core.multiarray\n": b"numpy.core.multiarray\n",
  b"jax._src.array\n_reconstruct_array": (
    b"jax._src.device_array\nreconstruct_device_array"
  ),
}


def test_names_of_older_packages_are_known(tmp_path):
  path = tmp_path / "x.pkl"
  released_files.write(path, released_files.checkpoint(_on_device))
  data = path.read_bytes()
  for new, old in OLD_NAMES.items():
    assert new in data
    data = data.replace(new, old)
  path.write_bytes(data)
  found = released.read(str(path))
  released_files.check_same(
    found.state.online.params, released_files.state()["online_params"]
  )


@pytest.mark.parametrize("protocol", [2, 4])
def test_pickles_without_dill_are_read(tmp_path, monkeypatch, protocol):
  names = (
    "byol",
    "byol.byol_experiment",
    "byol.utils",
    "byol.utils.optimizers",
  )
  for name in names:
    monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
  for kind in released_files.CLASSES:
    setattr(sys.modules[kind.__module__], kind.__name__, kind)
  path = tmp_path / "x.pkl"
  path.write_bytes(pickle.dumps(released_files.checkpoint(), protocol))
  released_files.check_same(
    released.read(str(path)).state.online.params,
    released_files.state()["online_params"],
  )


def test_a_step_may_be_an_array(tmp_path):
  content = released_files.checkpoint(step=np.int32(7))
  found = released.read(released_files.write(tmp_path / "x.pkl", content))
  assert (found.step, found.state.step, found.state.step.dtype) == (
    *(7, 7),
    np.int32,
  )


def test_heads_that_are_missing_are_the_online_networks(tmp_path):
  target = _without("projector")(released_files.state()["target_params"])
  momentum = _without("classifier")(released_files.recorded("momentum"))
  content = released_files.checkpoint(
    target_params=target,
    opt_state=[released_files.ScaleByLarsState(mu=momentum)],
  )
  found = released.read(released_files.write(tmp_path / "x.pkl", content))
  assert found.lacking == ("target_params projector", "momentum classifier")
  got, expected = found.state.target.params, released_files.state()
  for name in expected["online_params"]:
    owner = "online" if "projector" in name else "target"
    released_files.check_same(got[name], expected[f"{owner}_params"][name])
  assert not found.state.opt_state[2].trace["classifier"]["w"].any()


def _without(name):
  def change(tree):
    return {key: leaves for key, leaves in tree.items() if name not in key}

  return change


def _with(**modules):
  return lambda tree: {**tree, **modules}


def _head(module, **leaves):
  return released_files.checkpoint(_with(**{module: leaves}))


@pytest.mark.parametrize(
  ("content", "named"),
  [
    ({"a": 1}, "it holds a dict of a"),
    ([1], "of type list"),
    ({"experiment_state": 1, "step": 1}, "of type int"),
    ({"experiment_state": {"params": 1}, "step": 1}, "a dict of params"),
    (lambda: released_files.checkpoint(step=-1), "its step"),
    (lambda: released_files.checkpoint(step=2**40), "its step"),
    (lambda: released_files.checkpoint(step="3"), "its step"),
    (lambda: released_files.checkpoint(opt_state=()), "momentum"),
    (lambda: released_files.checkpoint(online_state=[]), "online_state"),
    (lambda: released_files.checkpoint(_without("projector")), "projector"),
    (lambda: released_files.checkpoint(_without("initial_conv")), "no ResNet"),
    (lambda: released_files.checkpoint(_without("block_group_3")), "blocks"),
    (lambda: released_files.checkpoint(_without("shortcut")), "lacks"),
    (
      lambda: released_files.checkpoint(
        target_params=_without("block_group_1")(
          released_files.state()["target_params"]
        )
      ),
      "lacks target/params",
    ),
    (
      lambda: released_files.checkpoint(
        _with(**{f"{NAME}/~/final_batchnorm": {}})
      ),
      "version 2",
    ),
    (
      lambda: released_files.checkpoint(
        _with(**{f"{NAME}/~/initial_conv": {"w": np.zeros((3, 3, 3, 64))}})
      ),
      "3 x 3 x 3 x 64, not 7 x 7",
    ),
    (
      lambda: released_files.checkpoint(
        lambda tree: jax.tree.map(np.float64, tree)
      ),
      "float64",
    ),
    (lambda: _head("classifier", b=np.float32(0)), "classifier is no linear"),
    # As long as a file that names one module or array often can make them.
    (
      lambda: released_files.checkpoint(
        _with(**{str(number): {} for number in range(5000)})
      ),
      "online_params has 50.. modules",
    ),
    (
      lambda: _head("classifier", **dict.fromkeys("abcdefghijk", np.zeros(1))),
      "a module of 11 arrays",
    ),
    (dict.fromkeys(map(str, range(10_000))), "a dict of 0, 1, 2$"),
  ],
)
def test_what_does_not_fit_is_said(tmp_path, content, named):
  content = content() if callable(content) else content
  path = released_files.write(tmp_path / "x.pkl", content)
  with pytest.raises(inert.PickleError, match=named):
    released.read(path)


@pytest.mark.parametrize(
  ("module", "shape"),
  [("projector/linear", (8, 0)), (f"{NAME}/~/initial_conv", (7, 7, 3, 0))],
)
def test_no_array_is_empty(tmp_path, module, shape):
  content = _head(module, w=np.zeros(shape, np.float32))
  # Dill writes them in a way of its own in older protocols.
  path = released_files.write(tmp_path / "x.pkl", content, protocol=4)
  with pytest.raises(inert.PickleError, match="has an array without numbers"):
    released.read(path)
