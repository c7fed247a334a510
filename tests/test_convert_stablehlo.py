"""Programs of features, called by a process that has JAX alone."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import stored

from byol_jax import convert, encoders, parallel
from byol_jax.interop import stablehlo
from byol_jax.networks import network

# Not the checkpoint's.
IMAGE_PX = 13

_FRESH = """
import sys
import jax, numpy
from jax import export

found = {}
with numpy.load("images.npz") as file:
  for name, images in dict(file).items():
    with open(f"{images.dtype}.stablehlo", "rb") as program:
      features = export.deserialize(bytearray(program.read()))
    found[name] = features.call(images)
numpy.savez("features.npz", **found)
print([x for x in sys.modules if x.startswith(("byol", "haiku"))])
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  """A workdir: a 7x7 convolution, batch norm and max-pool."""
  config = stored.settings()
  config["network"]["stem"] = "imagenet"
  spec = encoders.spec_of(config["network"])
  net = network.make_encoder(spec, parallel.AXIS)
  init = parallel.one_device(lambda x: net.init(jax.random.key(0), x))
  shapes = jax.eval_shape(init, jnp.zeros((2, IMAGE_PX, IMAGE_PX, 3)))
  rng = np.random.default_rng(0)
  variables = jax.tree.map(
    lambda x: np.asarray(rng.uniform(-0.3, 1.0, x.shape) ** 2, x.dtype), shapes
  )
  workdir = tmp_path_factory.mktemp("run")
  stored.save(workdir, {"step": np.int32(7), "online": variables}, config)
  return workdir


def test_a_fresh_process_has_our_features(run, tmp_path, capsys):
  for dtype in stablehlo.DTYPES:
    paths = str(run), str(tmp_path / f"{dtype}.stablehlo")
    more = f"--image_px={IMAGE_PX}", f"--dtype={dtype}"
    convert.main(["convert", "stablehlo", *paths, *more])
  said = capsys.readouterr().out.splitlines()
  assert said[0].startswith(
    f"Wrote {tmp_path}/uint8.stablehlo: uint8 pictures [n, 13, 13, 3] to 16"
    " features, for cpu,"
  )
  many = stored.pictures(5, IMAGE_PX)
  images = {"many": many, "one": many[:1], "floats": many[:2] / np.float32(255)}
  np.savez(tmp_path / "images.npz", **images)
  done = subprocess.run(
    [sys.executable, "-I", "-c", _FRESH],
    cwd=tmp_path,
    capture_output=True,
    text=True,
    check=False,
  )
  assert (done.stdout, done.stderr) == ("[]\n", "")
  expected = encoders.load_encoder(str(run))(many)
  assert np.ptp(expected, axis=0).min() > 0.01
  with np.load(tmp_path / "features.npz") as got:
    for name, x in images.items():
      np.testing.assert_allclose(got[name], expected[: len(x)], rtol=1e-5)


def test_a_program_is_for_all_devices_and_in_no_devices_way(run):
  encoder = encoders.open_encoder(str(run))
  program = stablehlo.features(encoder, IMAGE_PX, "uint8")
  assert set(program.platforms) == {"cpu", "cuda", "rocm", "tpu"}
  # A CPU's own way has nine slices instead.
  assert "stablehlo.reduce_window" in program.mlir_module()


@pytest.mark.parametrize(
  ("arguments", "sentence"),
  [
    (("random", "x.stablehlo"), "random is not a folder with checkpoints."),
    (("RUN", "x.onnx"), "x.onnx has to end in .stablehlo."),
    (("RUN", "no/x.stablehlo"), "no/x.stablehlo cannot be written: No such"),
    (("RUN", "x.stablehlo", "--image_px=-1"), "--image_px=-1 must be an int"),
    (("RUN", "x.stablehlo", "--image_px=4097"), "must be an integer from 8 to"),
    (("RUN", "x.stablehlo", "--dtype=int8"), "invalid choice: 'int8'"),
    (("RUN",), "required: out."),
  ],
)
def test_command_refuses_in_one_line(
  run, tmp_path, monkeypatch, capsys, arguments, sentence
):
  monkeypatch.chdir(tmp_path)
  given = [str(run) if x == "RUN" else x for x in arguments]
  with pytest.raises(SystemExit) as error:
    convert.main(["convert", "stablehlo", *given])
  assert error.value.code == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert sentence in line
  assert list(tmp_path.iterdir()) == []
