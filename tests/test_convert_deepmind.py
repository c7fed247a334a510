"""The command that makes a run of ours from a released checkpoint."""

import argparse
import functools
import json
import pathlib
import types

import jax
import numpy as np
import pytest
import released_files

from byol_jax import assembly, checkpoint, convert, encoders
from byol_jax.interop import deepmind, released
from byol_jax.networks import network
from configs import imagenet

NUM_CLASSES = 5


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
  expected = released_files.state()
  for owner in ("online", "target"):
    got = getattr(found.state, owner)
    released_files.check_same(got.params, expected[f"{owner}_params"])
    released_files.check_same(got.stats, expected[f"{owner}_state"])
  _, _, momentum, schedule = found.state.opt_state
  released_files.check_same(momentum.trace, released_files.recorded("momentum"))
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
  said = refused(tmp_path / "none.pkl")
  assert f"{tmp_path}/none.pkl' is not a file" in said


def test_no_name_of_a_file_is_refused(refused):
  assert "'' is not a file" in refused("")


@pytest.mark.parametrize(
  ("out", "said"),
  [
    ("gs://bucket/run", "gs://bucket/run is no folder of this machine"),
    (".", "'.' is no name of a folder"),
    ("", "'' is no name of a folder"),
  ],
)
def test_a_folder_to_make_has_a_name_here(
  refused, tmp_path, monkeypatch, out, said
):
  file = released_files.write(tmp_path / "x.pkl")
  (tmp_path / "empty").mkdir()
  monkeypatch.chdir(tmp_path / "empty")
  assert said in refused(file, out)


def test_a_folder_that_exists_is_left_alone(refused, tmp_path):
  file = released_files.write(tmp_path / "x.pkl")
  (tmp_path / "out").mkdir()
  (tmp_path / "out" / "mine").write_text("")
  assert "out exists: choose another" in refused(file)


@pytest.mark.parametrize("px", [0, 7, 4097, 2**40])
def test_a_size_must_be_one(refused, tmp_path, px):
  said = refused(tmp_path / "none", tmp_path / "out", f"--image_px={px}")
  assert f"--image_px={px} must be an integer from 8 to 4096" in said


def test_a_config_is_one_that_training_takes(refused, tmp_path):
  file = released_files.write(tmp_path / "x.pkl")
  said = refused(file, tmp_path / "out", "--image_px=31")
  assert "data.image_px=31 is too small for network.stem=imagenet" in said


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


def test_an_error_without_a_number_gives_its_text(
  refused, tmp_path, monkeypatch
):
  file = released_files.write(tmp_path / "x.pkl")

  def fail(*arguments, **options):
    raise OSError("the cable is cut")

  monkeypatch.setattr(pathlib.Path, "mkdir", fail)
  assert "out cannot be written: the cable is cut." in refused(file)
  monkeypatch.setattr(released, "read", fail)
  assert "x.pkl cannot be read: the cable is cut." in refused(file)
