"""Weights for PyTorch, in PyTorch, by the code of docs/interoperability.md."""

import json
import pathlib
import re
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.numpy
import skimage.data
import stored

from byol_jax import convert, encoders, parallel
from byol_jax.evaluation import linear_classifier
from byol_jax.interop import torch_weights
from byol_jax.networks import network, resnet
from byol_jax.types import Variables

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "interoperability.md"
SECTION = stored.settings()["network"]
# A bottleneck with and without a projection.
TINY = resnet.Architecture("tiny", (1, 2), (32, 64), True, 8)


def _spec(**changes):
  return encoders.spec_of({**SECTION, **changes})


def _variables(spec):
  """Weights and averages of which none is as it started."""
  net = network.make_encoder(spec, parallel.AXIS)
  init = parallel.one_device(lambda x: net.init(jax.random.key(0), x))
  shapes = jax.eval_shape(init, jnp.zeros((2, 32, 32, 3)))
  rng = np.random.default_rng(0)
  draws = {
    "w": lambda shape: rng.normal(0.0, np.prod(shape[:-1]) ** -0.5, shape),
    "scale": lambda shape: rng.uniform(0.5, 1.5, shape),
    "offset": lambda shape: rng.normal(0.2, 0.3, shape),
    "average": lambda shape: rng.uniform(0.1, 0.3, shape),
    "hidden": lambda shape: rng.uniform(3.0, 4.0, shape),
    "counter": lambda shape: 7,
  }
  return jax.tree.map_with_path(
    lambda path, x: np.asarray(draws[path[-1].key](x.shape), x.dtype), shapes
  )


def _pictures(height, width):
  """Two pieces of a photograph, [2, height, width, 3] in [0, 1]."""
  photo = skimage.data.astronaut()[::4, ::4] / 255.0
  pieces = photo[10:, 20:], photo[40:, 60:]
  return np.stack([x[:height, :width] for x in pieces]).astype(np.float32)


@pytest.fixture
def documented(monkeypatch, tmp_path):
  """Runs the page's Python on a network, weights and pictures."""
  torch = pytest.importorskip("torch")
  text = PAGE.read_text(encoding="utf-8").partition("\n### PyTorch\n")[2]
  first, second = re.findall(
    r"```python\n(.*?)```", text.partition("\n###")[0], re.DOTALL
  )

  def run(theirs, images):
    models = types.SimpleNamespace(resnet50=lambda: theirs)
    stand_in = types.SimpleNamespace(models=models)
    monkeypatch.setitem(sys.modules, "torchvision", stand_in)
    monkeypatch.chdir(tmp_path)
    names = {"images": torch.from_numpy(images.transpose(0, 3, 1, 2).copy())}
    exec(first + second, names)
    assert "stride=(2, 2)" in repr(names["network"])  # It can be printed.
    return names["features"].detach().numpy()

  return run


def _write(encoder, path, fc=()):
  weights = torch_weights.state_dict(encoder.spec, encoder.variables)
  weights |= dict(fc)
  described = torch_weights.metadata(encoder)
  safetensors.numpy.save_file(weights, path, described)


@pytest.mark.parametrize(
  ("changes", "size", "classes"),
  [
    ({"encoder": "tiny_resnet", "stem": "imagenet"}, (32, 32), 0),
    ({"encoder": "resnet8", "width_multiplier": 2}, (18, 13), 3),
    (
      {"encoder": "TINY", "stem": "imagenet", "weight_standardization": True},
      (38, 33),
      0,
    ),
  ],
)
def test_pytorch_has_our_features(
  documented, tmp_path, monkeypatch, changes, size, classes
):
  import torchvision_like  # Needs PyTorch.

  monkeypatch.setitem(resnet.ARCHITECTURES, "TINY", TINY)
  spec = _spec(**changes)
  variables = _variables(spec)
  encoder = encoders.Encoder("runs/x, step 7", spec, 32, variables, {})
  images = _pictures(*size)
  expected = jax.jit(encoders.as_function(encoder))(images)
  assert np.abs(expected[0] - expected[1]).max() > 0.01
  assert np.mean(expected > 0.01) > 0.3
  fc = {}
  if classes:
    rng = np.random.default_rng(2)
    fc["fc.weight"] = rng.normal(size=(classes, expected.shape[1])).astype("f")
    fc["fc.bias"] = rng.normal(size=classes).astype("f")
    expected = np.asarray(expected) @ fc["fc.weight"].T + fc["fc.bias"]
  _write(encoder, tmp_path / "resnet.safetensors", fc)
  architecture = resnet.ARCHITECTURES[spec.encoder]
  theirs = torchvision_like.ResNet(architecture.blocks, architecture.bottleneck)
  got = documented(theirs, images)
  np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def _torchvision_names(blocks, convolutions):
  """Of a ResNet without `fc`, with a projection in each group."""
  norm = ("weight", "bias", "running_mean", "running_var")
  norm += ("num_batches_tracked",)
  names = {"conv1.weight", *(f"bn1.{x}" for x in norm)}
  for group, count in enumerate(blocks, 1):
    for block in range(count):
      at = f"layer{group}.{block}"
      for i in range(1, convolutions + 1):
        names |= {f"{at}.conv{i}.weight", *(f"{at}.bn{i}.{x}" for x in norm)}
    at = f"layer{group}.0.downsample"
    names |= {f"{at}.0.weight", *(f"{at}.1.{x}" for x in norm)}
  return names


def test_names_and_layout_are_torchvisions():
  spec = _spec(encoder="resnet18", stem="imagenet", width_multiplier=1)
  found = torch_weights.state_dict(spec, _variables(spec))
  assert set(found) == _torchvision_names((2, 2, 2, 2), 2)
  # What torchvision's has without `fc`, and a projection in the first group.
  assert len(found) == 120 + 6
  assert found["conv1.weight"].shape == (64, 3, 7, 7)
  assert found["layer3.0.conv1.weight"].shape == (256, 128, 3, 3)
  assert found["layer2.0.downsample.1.num_batches_tracked"] == 7
  assert all(x.flags.c_contiguous for x in found.values())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  """A workdir, and the variables of its encoder."""
  workdir = tmp_path_factory.mktemp("run")
  variables = _variables(_spec())
  stored.save(workdir, {"step": np.int32(7), "online": variables})
  return workdir, variables


def test_command_writes_weights_and_what_they_are(run, tmp_path, capsys):
  workdir, variables = run
  out = tmp_path / "x.safetensors"
  out.write_bytes(b"older")
  convert.main(["convert", "torch", str(workdir), str(out)])
  said = f"Wrote {out}: one_conv of width 1, 16 features.\n"
  assert capsys.readouterr().out == said
  got = safetensors.numpy.load_file(out)
  kernel = variables.params["one_conv/~/initial_conv"]["w"]
  np.testing.assert_array_equal(
    got["conv1.weight"].transpose(2, 3, 1, 0), kernel
  )
  averages = variables.stats["one_conv/~/initial_batchnorm/~/var_ema"]
  np.testing.assert_array_equal(
    got["bn1.running_var"], averages["average"].ravel()
  )
  with safetensors.safe_open(out, "np") as file:
    about = file.metadata()
  assert about["run"] == f"{workdir}, step 7"
  assert (about["architecture"], about["stem"]) == ("one_conv", "cifar")
  numbers = {
    "width_multiplier": 1,
    "features": 16,
    "image_px": stored.IMAGE_PX,
    "norm_epsilon": SECTION["norm_epsilon"],
    "mean_rgb": SECTION["mean_rgb"],
    "std_rgb": SECTION["std_rgb"],
  }
  assert {name: json.loads(about[name]) for name in numbers} == numbers
  assert list(tmp_path.iterdir()) == [out]


def _classifier(folder, encoder):
  rng = np.random.default_rng(0)
  found = linear_classifier.LinearClassifier(
    w=rng.normal(size=(16, 3)).astype(np.float32),
    b=rng.normal(size=3).astype(np.float32),
    class_names=("a", "b", "c"),
    encoder=encoder,
  )
  linear_classifier.write(found, str(folder / "key"))
  place = {"classifier": f"key/{linear_classifier.FILE}"}
  (folder / "results.json").write_text(json.dumps(place))
  return found


def test_a_classifier_becomes_the_last_layer(run, tmp_path, capsys):
  workdir, variables = run
  found = _classifier(tmp_path, encoders.fingerprint(variables))
  out = tmp_path / "x.safetensors"
  flag = f"--classifier={tmp_path}"
  convert.main(["convert", "torch", str(workdir), str(out), flag])
  assert "16 features, 3 classes." in capsys.readouterr().out
  got = safetensors.numpy.load_file(out)
  np.testing.assert_array_equal(got["fc.weight"], found.w.T)
  np.testing.assert_array_equal(got["fc.bias"], found.b)
  with safetensors.safe_open(out, "np") as file:
    assert json.loads(file.metadata()["classes"]) == ["a", "b", "c"]


def test_a_classifier_of_another_encoder_is_refused(run, tmp_path, capsys):
  _classifier(tmp_path, "another")
  out = tmp_path / "x.safetensors"
  flag = f"--classifier={tmp_path}"
  with pytest.raises(SystemExit):
    convert.main(["convert", "torch", str(run[0]), str(out), flag])
  assert "is for other features than" in capsys.readouterr().err
  assert not out.exists()


@pytest.mark.parametrize(
  ("encoder", "out", "sentence"),
  [
    ("nowhere", "x.safetensors", "nowhere is not a folder with checkpoints."),
    ("pixels", "x.safetensors", "pixels is not a folder with checkpoints."),
    ("", "x.pt", "x.pt has to end in .safetensors."),
    ("", "folder.safetensors", "folder.safetensors is a folder."),
    ("", "no/x.safetensors", "cannot be written: No such file or directory."),
  ],
)
def test_command_refuses_in_one_line(
  run, tmp_path, monkeypatch, capsys, encoder, out, sentence
):
  monkeypatch.chdir(tmp_path)
  (tmp_path / "folder.safetensors").mkdir()
  with pytest.raises(SystemExit) as error:
    convert.main(["convert", "torch", encoder or str(run[0]), out])
  assert error.value.code == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith("byol_jax: ")
  assert sentence in line
  assert [x.name for x in tmp_path.iterdir()] == ["folder.safetensors"]


def test_other_norms_are_refused():
  spec = _spec(encoder_norm="layer")
  with pytest.raises(ValueError, match="encoder_norm is 'layer'"):
    torch_weights.state_dict(spec, Variables({}, {}))
