"""Checkpoints of the released code become ours, whole and with a licence."""

import argparse
import collections
import functools
import json
import pathlib
import pickle
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import released_files
from haiku._src import data_structures

from byol_jax import assembly, checkpoint, convert, encoders
from byol_jax.interop import deepmind, inert, recognition, released
from byol_jax.networks import network, resnet
from configs import imagenet

NAME = "tiny_res_net"
NUM_CLASSES = 5


def state():
  """As the file says, in our order."""
  return {name: released_files.recorded(name) for name in released_files.TREES}


def check_same(got, expected):
  assert jax.tree.structure(got) == jax.tree.structure(expected)
  jax.tree.map(np.testing.assert_array_equal, got, expected)


@pytest.fixture(scope="module", autouse=True)
def _traced_once():
  """The network's shapes, which take a second."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(released, "_shapes", functools.cache(released._shapes))
    yield


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
  """The workdir, and what the command says."""
  root = tmp_path_factory.mktemp("deepmind")
  file = released_files.write(root / "pretrain.pkl")
  out = root / "runs" / "published"
  arguments = argparse.Namespace(file=file, out=str(out), image_px=64)
  return out, deepmind.run(arguments)


@pytest.fixture
def refused(tmp_path, capsys):
  """Runs the command on a file, which it has to refuse; the sentence."""

  def run(file, out=tmp_path / "out", *more):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as ended:
      convert.main(["x", "deepmind", str(file), str(out), *more])
    said = capsys.readouterr()
    assert (ended.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert sorted(tmp_path.rglob("*")) == before
    return said.err

  return run


def test_features_are_those_of_the_released_network(converted):
  recorded = released_files.FEATURES
  expected = recorded["online_representation"]
  features = jax.jit(encoders.load_encoder(str(converted[0])))
  got = features(recorded["images"])
  assert np.abs(expected).max() > 0.5
  assert np.abs(got - expected).max() < 1e-5 * np.abs(expected).max()


def test_target_projects_as_the_released_network(converted):
  found = released.read(str(converted[0].parent.parent / "pretrain.pkl"))
  recorded = released_files.FEATURES
  net = network.make_network(found.spec, "i")
  images = encoders.as_unit_range(recorded["images"])
  apply = jax.jit(net.apply, static_argnums=2)
  got, _ = apply(found.state.target, images, False)
  for name in ("representation", "projection", "prediction"):
    expected = recorded[f"target_{name}"]
    assert np.abs(expected).max() > 0.5
    error = np.abs(getattr(got, name) - expected).max()
    assert error < 1e-5 * np.abs(expected).max()


def _config():
  """What somebody would continue with."""
  config = imagenet.get_config()
  with config.unlocked():
    config.data.image_px = 64
    config.network.encoder = "tiny_resnet"
    config.network.projector_hidden = (16,)
    config.network.predictor_hidden = (16,)
    config.network.projection_dim = 8
  return config


def test_training_continues_from_the_released_state(converted):
  config = _config()
  folder = str(converted[0] / checkpoint.FOLDER)
  like = assembly.state_shapes(config, NUM_CLASSES)
  with checkpoint.open_manager(folder, keep=3) as manager:
    found = checkpoint.restore_newest(manager, like, config.to_json())
  assert (found.step, found.changes, found.pending) == (3, [], None)
  expected = state()
  for owner in ("online", "target"):
    got = getattr(found.state, owner)
    check_same(got.params, expected[f"{owner}_params"])
    check_same(got.stats, expected[f"{owner}_state"])
  _, _, momentum, schedule = found.state.opt_state
  check_same(momentum.trace, released_files.recorded("momentum"))
  assert (found.state.step, schedule.count) == (3, 3)


def test_the_config_is_the_released_one_with_this_network(converted):
  _, config = checkpoint.load_params(str(converted[0]))
  assert config == json.loads(_config().to_json())


def test_the_licence_is_said_and_kept(converted):
  out, said = converted
  assert said.startswith(f"Wrote {out}: tiny_resnet of width 1 at step 3.\n")
  kept = (out / "LICENSE").read_text()
  for text in (said, kept):
    assert "CC BY-NC 4.0: attribution, no commercial use" in text
  assert "\npretrain.pkl\nSHA-256 " in kept


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
  check_same(found.state.online.params, state()["online_params"])
  check_same(found.state.target.stats, state()["target_state"])


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
  check_same(found.state.online.params, state()["online_params"])


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
  check_same(
    released.read(str(path)).state.online.params, state()["online_params"]
  )


def test_a_step_may_be_an_array(tmp_path):
  content = released_files.checkpoint(step=np.int32(7))
  found = released.read(released_files.write(tmp_path / "x.pkl", content))
  assert (found.step, found.state.step, found.state.step.dtype) == (
    *(7, 7),
    np.int32,
  )


def test_heads_that_are_missing_are_the_online_networks(tmp_path):
  target = _without("projector")(state()["target_params"])
  momentum = _without("classifier")(released_files.recorded("momentum"))
  content = released_files.checkpoint(
    target_params=target,
    opt_state=[released_files.ScaleByLarsState(mu=momentum)],
  )
  found = released.read(released_files.write(tmp_path / "x.pkl", content))
  assert found.lacking == ("target_params projector", "momentum classifier")
  got, expected = found.state.target.params, state()
  for name in expected["online_params"]:
    owner = "online" if "projector" in name else "target"
    check_same(got[name], expected[f"{owner}_params"][name])
  assert not found.state.opt_state[2].trace["classifier"]["w"].any()


def zeros(*shape):
  return np.broadcast_to(np.float32(0), shape)


def params_of(name, width):
  """What shows an architecture: the first and last layers of its blocks."""
  architecture = resnet.ARCHITECTURES[name]
  last = "conv_2" if architecture.bottleneck else "conv_1"
  sizes = [width * x for x in architecture.channels]
  params = {"net/~/initial_conv": {"w": zeros(7, 7, 3, 64 * width)}}
  for group, count in enumerate(architecture.blocks):
    for block in range(count):
      place = f"net/~/block_group_{group}/~/block_{block}/~"
      params[f"{place}/{last}"] = {"w": zeros(1, 1, 1, sizes[group])}
  for head, hidden in (("projector", 4096), ("predictor", 512)):
    params[f"{head}/linear"] = {"w": zeros(2048, hidden)}
    params[f"{head}/linear_1"] = {"w": zeros(hidden, 256)}
  params["classifier"] = {"b": zeros(1000)}
  return params


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize(
  "name", [f"resnet{depth}" for depth in (18, 34, 50, 101, 152, 200)]
)
def test_depth_and_width_are_recognised(name, width):
  spec = recognition.recognise(params_of(name, width))
  assert (spec.encoder, spec.width_multiplier) == (name, width)
  assert (spec.projector_hidden, spec.predictor_hidden) == ((4096,), (512,))
  assert (spec.projection_dim, spec.num_classes) == (256, 1000)


def _without(name):
  def change(tree):
    return {key: leaves for key, leaves in tree.items() if name not in key}

  return change


def _with(**modules):
  return lambda tree: {**tree, **modules}


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
        target_params=_without("block_group_1")(state()["target_params"])
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
  ],
)
def test_what_does_not_fit_is_said(tmp_path, content, named):
  content = content() if callable(content) else content
  path = released_files.write(tmp_path / "x.pkl", content)
  with pytest.raises(inert.PickleError, match=named):
    released.read(path)


@pytest.mark.parametrize(
  ("content", "named"),
  [
    (b"", "is empty"),
    (b"<html>404 not found</html>", "not a pickle of protocol 2"),
    (b"PK\x03\x04 and so on", "zip archive, as PyTorch"),
    (b"\x93NUMPY and so on", "NumPy"),
    (b"\x1f\x8b and so on", "gzip"),
    (b"\x80\x02cos\nsystem\n.", "refused: it names os.system"),
    (b"\x80\x02}", "cut off"),
  ],
)
def test_other_files_are_refused(refused, tmp_path, content, named):
  path = tmp_path / "x.pkl"
  path.write_bytes(content)
  said = refused(path)
  assert str(path) in said
  assert named in said


def test_a_missing_file_is_refused(refused, tmp_path):
  assert f"{tmp_path}/none.pkl is not a file" in refused(tmp_path / "none.pkl")


def test_a_folder_that_exists_is_left_alone(refused, tmp_path):
  file = released_files.write(tmp_path / "x.pkl")
  (tmp_path / "out").mkdir()
  (tmp_path / "out" / "mine").write_text("")
  assert "out exists: choose another" in refused(file)


def test_a_size_must_be_one(refused, tmp_path):
  file = released_files.write(tmp_path / "x.pkl")
  assert "--image_px=0" in refused(file, tmp_path / "out", "--image_px=0")


def test_a_folder_that_cannot_be_made_is_named(refused, tmp_path):
  file = released_files.write(tmp_path / "x.pkl")
  (tmp_path / "taken").write_text("")
  said = refused(file, tmp_path / "taken" / "out")
  assert f"{tmp_path}/taken/out cannot be written" in said


def test_a_full_disk_leaves_nothing(refused, tmp_path, monkeypatch):
  file = released_files.write(tmp_path / "x.pkl")
  usage = types.SimpleNamespace(free=1000)
  monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
  assert "free space" in refused(file)


def test_a_failed_write_leaves_nothing(refused, tmp_path, monkeypatch):
  file = released_files.write(tmp_path / "x.pkl")

  def fail(*arguments):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(pathlib.Path, "write_text", fail)
  assert "No space left on device" in refused(file)
