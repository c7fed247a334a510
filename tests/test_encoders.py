import jax
import jax.numpy as jnp
import numpy as np
import pytest
import stored

import byol_jax
from byol_jax import checkpoint, encoders, parallel
from byol_jax.networks import network
from byol_jax.types import Variables


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  """A workdir of two checkpoints, and the variables of the newer."""
  workdir = tmp_path_factory.mktemp("run")
  stored.save_encoder(workdir, step=3, shift=1.0)
  return workdir, stored.save_encoder(workdir)


def _assert_same(ours, theirs):
  jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.parametrize("below", ["", "checkpoints", "checkpoints/7"])
def test_open_encoder_finds_the_newest(run, below):
  workdir, variables = run
  found = encoders.open_encoder(str(workdir / below))
  assert found.name == f"{workdir / below}, step 7"
  assert found.image_px == stored.IMAGE_PX
  assert found.spec.encoder == "one_conv"
  assert "view1" in found.augment
  assert max(np.abs(x).max() for x in jax.tree.leaves(variables)) > 0
  # Without the projector.
  _assert_same(found.variables, variables)


def test_open_encoder_finds_a_named_step(run):
  workdir, newest = run
  found = encoders.open_encoder(str(workdir / "checkpoints" / "3"))
  assert found.name.endswith(", step 3")
  assert encoders.fingerprint(found.variables) != encoders.fingerprint(newest)
  _assert_same(found.variables, stored.variables(shift=1.0))


def test_open_encoder_finds_one_that_was_fine_tuned(tmp_path):
  variables = stored.save_encoder(tmp_path, owner="encoder")
  _assert_same(encoders.open_encoder(str(tmp_path)).variables, variables)


def test_open_encoder_refuses_classifiers_on_stored_features(tmp_path):
  heads = {"w": np.ones((1, 16, 3), np.float32)}
  state = {"step": np.int32(1), "encoder": (), "heads": heads}
  stored.save(tmp_path, state)
  with pytest.raises(checkpoint.CheckpointError, match="holds no encoder"):
    encoders.open_encoder(str(tmp_path))


def test_open_encoder_refuses_a_folder_without_checkpoints(tmp_path):
  with pytest.raises(checkpoint.CheckpointError, match="no finished"):
    encoders.open_encoder(str(tmp_path))


@pytest.fixture(scope="module")
def features(run):
  return encoders.load_encoder(str(run[0]))


def test_load_encoder_is_the_network_in_inference_mode(run, features):
  workdir, variables = run
  images = stored.pictures(4)
  got = features(images)
  spec = encoders.open_encoder(str(workdir)).spec
  net = network.make_encoder(spec, parallel.AXIS)
  apply = parallel.one_device(lambda x: net.apply(variables, x, False)[0])
  expected = apply(images.astype(np.float32) / 255.0).representation
  assert got.shape == (4, 16)
  assert np.abs(got).max() > 0.1
  np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_load_encoder_treats_each_picture_alone(features):
  images = stored.pictures(4)
  whole = features(images)
  assert np.abs(whole[0] - whole[1]).max() > 0.01
  np.testing.assert_allclose(
    features(images[1:2]), whole[1:2], rtol=1e-5, atol=1e-6
  )


def test_load_encoder_can_be_jitted_and_differentiated(features):
  images = jnp.asarray(stored.pictures(2), jnp.float32) / 255.0
  np.testing.assert_allclose(
    jax.jit(features)(images), features(images), rtol=1e-5, atol=1e-6
  )
  gradient = jax.grad(lambda x: jnp.sum(features(x) ** 2))(images)
  assert gradient.shape == images.shape
  assert np.abs(gradient).max() > 1e-3


def test_load_encoder_of_the_package_is_the_same(run, features):
  images = stored.pictures(2)
  np.testing.assert_array_equal(
    byol_jax.load_encoder(str(run[0]))(images), features(images)
  )


def test_draw_takes_weights_of_a_key_and_averages_of_pictures():
  images = stored.pictures()
  spec = encoders.spec_of(stored.settings()["network"])
  variables = encoders.draw(spec, jax.random.key(1), images)
  other = encoders.fingerprint(stored.drawn())
  assert encoders.fingerprint(variables) != other
  net = network.make_encoder(spec, parallel.AXIS)

  def outputs(x):
    return [net.apply(variables, x, mode)[0] for mode in (True, False)]

  in_unit_range = images.astype(np.float32) / 255.0
  training, inference = parallel.one_device(outputs)(in_unit_range)
  assert np.abs(training.representation).max() > 0.1
  np.testing.assert_allclose(
    inference.representation, training.representation, rtol=1e-4, atol=1e-5
  )


def test_fingerprint_sees_a_changed_weight():
  variables = Variables({"a": {"w": np.zeros(3)}}, {})
  changed = Variables({"a": {"w": np.array([0.0, 0.0, 1e-9])}}, {})
  assert len(encoders.fingerprint(variables)) == 12
  assert encoders.fingerprint(variables) != encoders.fingerprint(changed)
  assert encoders.fingerprint(None) == ""


def test_spec_of_makes_tuples_and_leaves_the_rest():
  section = stored.settings()["network"]
  assert isinstance(section["mean_rgb"], list)
  spec = encoders.spec_of(section)
  assert isinstance(spec.mean_rgb, tuple)
  assert "projection_dim" in section
  assert not hasattr(spec, "projection_dim")


@pytest.mark.parametrize(
  "images", [np.array([[[[0, 51, 255]]]], np.uint8), [[[[0.0, 0.2, 1.0]]]]]
)
def test_as_unit_range_scales_bytes_only(images):
  got = encoders.as_unit_range(np.asarray(images))
  assert got.dtype == jnp.float32
  np.testing.assert_allclose(got[0, 0, 0], [0.0, 0.2, 1.0], rtol=1e-6)


@pytest.mark.parametrize(
  ("shape", "dtype", "sentence"),
  [
    ((8, 8, 3), np.uint8, r"not \[8, 8, 3\]"),
    ((2, 8, 8, 1), np.uint8, r"not \[2, 8, 8, 1\]"),
    ((2, 8, 8, 3), np.int32, "not int32"),
    ((2, 8, 8, 3), bool, "not bool"),
  ],
)
def test_as_unit_range_refuses_others(shape, dtype, sentence):
  with pytest.raises(ValueError, match=sentence):
    encoders.as_unit_range(np.zeros(shape, dtype))


def test_as_unit_range_refuses_a_path():
  with pytest.raises(ValueError, match=r"must be an array .* not a str"):
    encoders.as_unit_range("picture.jpg")


def test_another_norm_decay_keeps_the_averages():
  """Haiku's average is hidden / (1 - decay ** counter)."""
  average, counter = np.array([[2.0, -3.0]], np.float32), np.int32(5)
  moved = {
    "average": average,
    "counter": counter,
    "hidden": average * (1 - 0.9**5),
  }
  fresh = {
    "average": average,
    "counter": np.int32(0),
    "hidden": 0 * average,
  }
  stats = {"a/mean_ema": moved, "b/mean_ema": fresh}
  found = encoders.with_norm_decay(Variables({}, stats), 0.99).stats
  np.testing.assert_allclose(
    found["a/mean_ema"]["hidden"] / (1 - 0.99**5), average, rtol=1e-5
  )
  np.testing.assert_array_equal(found["b/mean_ema"]["hidden"], 0.0)
  np.testing.assert_array_equal(found["a/mean_ema"]["average"], average)
