import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import parallel
from byol_jax.dense import update
from byol_jax.networks import dense, fcn, network, windows
from configs.eval import segmentation

AXIS = parallel.AXIS


@pytest.fixture(scope="module")
def spec():
  section = segmentation.get_config().network.to_dict()
  section |= {"encoder": "tiny_resnet", "stem": "cifar"}
  section.pop("image_px")
  return network.EncoderSpec(**section)


@pytest.fixture(scope="module")
def images():
  return jax.random.uniform(jax.random.key(1), (2, 16, 24, 3))


@pytest.fixture(scope="module")
def variables(spec, images):
  net = network.make_encoder(spec, AXIS)
  init = jax.jit(parallel.one_device(net.init))
  return init(jax.random.key(0), images)


def _maps(spec, dilation):
  def forward(images, modes):
    encoder = dense.backbone(spec, AXIS, dilation)
    trunk = encoder.trunk(images, modes.trunk)
    return trunk, encoder.last_group(trunk, modes.last_group)

  return dense.functions(forward)


def _apply(net, variables, images, modes=dense.INFERENCE):
  run = parallel.one_device(lambda *x: net.apply(*x, modes))
  return jax.jit(run)(variables, images)


def test_the_parts_of_an_encoder_are_the_encoder(spec, images, variables):
  whole = network.make_encoder(spec, AXIS)
  run = parallel.one_device(lambda *x: whole.apply(*x, False))
  expected, _ = jax.jit(run)(variables, images)
  (_, last), _ = _apply(_maps(spec, 1), variables, images)
  assert last.shape == (2, 2, 3, 8)
  np.testing.assert_allclose(
    jnp.mean(last, (1, 2)), expected.representation, rtol=1e-5, atol=1e-6
  )


def test_a_dilated_last_group_keeps_the_resolution(spec, images, variables):
  (trunk, last), _ = _apply(_maps(spec, 2), variables, images)
  (plain_trunk, plain), _ = _apply(_maps(spec, 1), variables, images)
  np.testing.assert_array_equal(trunk, plain_trunk)
  assert trunk.shape[1:3] == last.shape[1:3] == (4, 6)
  assert plain.shape[1:3] == (2, 3)
  assert jnp.std(last) > 0.01


def test_a_dilated_convolution_has_zeros_between_its_taps():
  x = jax.random.normal(jax.random.key(0), (1, 9, 8, 2))
  weight = jax.random.normal(jax.random.key(1), (3, 3, 2, 4))
  wide = jnp.zeros((5, 5, 2, 4)).at[::2, ::2].set(weight)
  expected = windows.conv(x, wide, 1)
  assert jnp.abs(expected).max() > 1.0
  found = windows.dilated(x, weight, 2)
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
  ("modes", "changed"),
  [
    (dense.INFERENCE, set()),
    (dense.Modes(False, True, True), {"block_group_3"}),
    (dense.Modes(True, False, True), {"initial", "block_group_0"}),
  ],
)
def test_only_norms_in_training_move_their_averages(
  spec, images, variables, modes, changed
):
  _, stats = _apply(_maps(spec, 2), variables, images, modes)
  moved = {
    name
    for name, leaves in stats.items()
    for key, leaf in leaves.items()
    if not np.array_equal(leaf, variables.stats[name][key])
  }
  parts = {"initial", "block_group_0", "block_group_3"}
  assert {x for x in parts if any(x in name for name in moved)} == changed


@pytest.fixture(scope="module")
def segmenter(spec, images):
  settings = fcn.Settings(5, 2, (6, 7), 6, "float32")
  net = fcn.make_network(spec, settings, AXIS)
  init = parallel.one_device(net.init)
  return net, jax.eval_shape(init, jax.random.key(0), images)


def test_fcn_has_the_paper_s_layers(segmenter):
  _, whole = segmenter
  head = "segmentation_head/~/"
  shapes = {
    name: whole.params[f"{head}{name}"]["w"].shape
    for name in ("conv_0", "conv_1", "classifier")
  }
  assert shapes == {
    "conv_0": (3, 3, 8, 6),
    "conv_1": (3, 3, 6, 7),
    "classifier": (7, 5),
  }
  assert f"{head}batchnorm_1" in whole.params


def test_fcn_has_logits_of_each_pixel(segmenter, images):
  net, whole = segmenter
  run = parallel.one_device(lambda *x: net.apply(*x, dense.INFERENCE))
  logits, _ = jax.eval_shape(run, whole, images)
  assert logits.shape == (2, 16, 24, 5)


def test_logits_are_linear_between_the_pixels_that_cells_look_at(spec):
  # A CIFAR stem and one group that halves: at 6 pixels the cells look at 1, 3
  # and 5, at 5 pixels at 0, 2 and 4.
  logits = jnp.array([[1.0, 3.0, 7.0]]) + jnp.array([[0.0], [10], [30]])
  found = fcn.paint(logits[None, :, :, None], (5, 6), spec, 2)
  rows = np.array([0, 5, 10, 20, 30])
  columns = np.array([1, 1, 2, 3, 5, 7])
  expected = rows[:, None] + columns
  np.testing.assert_allclose(found[0, :, :, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(
  ("frozen", "trained"),
  [
    ("none", {"initial", "block_group_0", "block_group_3", "head"}),
    ("trunk", {"block_group_3", "head"}),
    ("encoder", {"head"}),
  ],
)
def test_what_is_frozen_is_not_trained(spec, segmenter, frozen, trained):
  _, whole = segmenter
  state = update.State(0, *update.split(whole, spec), ())
  assert update.variables(state).params.keys() == whole.params.keys()
  training = update.Training(spec, frozen, batch_statistics=True)
  found = update.trained(state, training)
  parts = {"initial", "block_group_0", "block_group_3", "head"}
  assert {x for x in parts if any(x in name for name in found)} == trained


@pytest.mark.parametrize(
  ("frozen", "statistics", "modes"),
  [
    ("none", True, dense.TRAINING),
    ("none", False, dense.Modes(False, False, True)),
    ("trunk", True, dense.Modes(False, True, True)),
    ("encoder", True, dense.Modes(False, False, True)),
  ],
)
def test_norms_of_what_is_frozen_keep_their_averages(
  spec, frozen, statistics, modes
):
  training = update.Training(spec, frozen, statistics)
  assert update.modes(training) == modes
