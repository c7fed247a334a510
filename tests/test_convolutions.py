"""What some devices compute another way: the same as XLA's own, with ties."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import platforms
from byol_jax.networks import layers, norms, windows


def both_ways(function, *args, platform="cpu"):
  """Values and gradients as on a platform, and as XLA has them."""
  value = jax.eval_shape(function, *args)
  gradient = jax.random.normal(jax.random.key(9), value.shape)

  def run(*args):
    out, pull = jax.vjp(function, *args)
    return out, *pull(gradient)

  with platforms.lowering_for(platform):
    ours = jax.jit(run)(*args)
  with platforms.lowering_for("gpu"):
    theirs = jax.jit(lambda *args: run(*args))(*args)
  return ours, theirs


def primitives(function, *args):
  return str(jax.make_jaxpr(function)(*args))


@pytest.mark.parametrize(
  ("px", "kernel", "stride"),
  [
    ((1, 1), 3, 1),
    ((1, 1), 3, 2),
    ((2, 2), 3, 1),
    ((2, 2), 3, 2),
    ((3, 3), 3, 2),
    ((4, 4), 3, 2),
    ((2, 1), 3, 1),
    ((4, 3), 7, 2),
    ((5, 4), 1, 2),
  ],
)
def test_conv_the_other_way_round_is_the_same(px, kernel, stride):
  x = jax.random.normal(jax.random.key(0), (3, *px, 4))
  weight = jax.random.normal(jax.random.key(1), (kernel, kernel, 4, 5))

  def conv(x, weight):
    return layers.conv(x, weight, stride)

  if kernel > 1:
    assert "conv_general_dilated" not in primitives(conv, x, weight)
  for ours, theirs in zip(*both_ways(conv, x, weight), strict=True):
    assert np.std(theirs) > 0.1
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
  ("px", "kernel"), [((6, 8), 2), ((8, 12), 3), ((16, 6), 4), ((8, 6), 7)]
)
def test_a_strided_gradient_on_a_cpu_takes_no_products_of_zeros(px, kernel):
  x = jax.random.normal(jax.random.key(0), (2, *px, 4))
  weight = jax.random.normal(jax.random.key(1), (kernel, kernel, 4, 5))

  def conv(x, weight):
    return layers.conv(x, weight, 2)

  def gradient(x, weight):
    return jax.grad(lambda x: jnp.sum(conv(x, weight)))(x)

  assert "lhs_dilation=(2, 2)" not in primitives(gradient, x, weight)
  for ours, theirs in zip(*both_ways(conv, x, weight), strict=True):
    assert np.std(theirs) > 0.1
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=3e-5)


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize(
  ("px", "channels"), [((8, 8), 3), ((12, 6), 3), ((8, 8), 6)]
)
def test_a_tpu_sees_colours_by_squares(px, channels, kernel):
  x = jax.random.normal(jax.random.key(0), (2, *px, channels))
  weight = jax.random.normal(jax.random.key(1), (kernel, kernel, channels, 4))

  def conv(x, weight):
    return layers.conv(x, weight, 2)

  ways = both_ways(conv, x, weight, platform="tpu")
  for ours, theirs in zip(*ways, strict=True):
    assert np.std(theirs) > 0.1
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=3e-5)
  with platforms.lowering_for("tpu"):
    by_squares = primitives(lambda *args: conv(*args), x, weight)
  assert "window_strides=(1, 1)" in by_squares


@pytest.mark.parametrize("px", [(8, 8), (5, 4)])
def test_a_strided_1x1_convolution_takes_no_products_of_zeros(px):
  x = jax.random.normal(jax.random.key(0), (2, *px, 4))
  weight = jax.random.normal(jax.random.key(1), (1, 1, 4, 5))

  def gradients(conv):
    return jax.grad(lambda *args: jnp.sum(conv(*args, 2) ** 2), (0, 1))

  ours, theirs = gradients(layers.conv), gradients(windows.conv)
  assert "lhs_dilation=(2, 2)" in primitives(theirs, x, weight)
  assert "lhs_dilation=(2, 2)" not in primitives(ours, x, weight)
  for got, wanted in zip(ours(x, weight), theirs(x, weight), strict=True):
    assert np.std(wanted) > 0.1
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("px", [(8, 8), (5, 5), (4, 7), (1, 1)])
@pytest.mark.parametrize("ties", [True, False])
def test_max_pool_the_other_way_round_is_the_same(px, ties):
  x = jax.random.normal(jax.random.key(0), (3, *px, 4))
  if ties:  # Zeros after a relu, and few values above.
    x = jnp.round(jax.nn.relu(x))
  ours, theirs = both_ways(layers.max_pool, x)
  assert np.std(theirs[1]) > 0.1
  np.testing.assert_array_equal(ours[0], theirs[0])
  np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-6, atol=1e-6)


def test_max_pool_gives_a_tie_to_the_first_place():
  gradient = jax.grad(lambda x: layers.max_pool(x).sum())
  got = gradient(jnp.ones((1, 4, 4, 1)))[0, :, :, 0]
  expected = np.zeros((4, 4))
  expected[::2, ::2] = 1.0
  np.testing.assert_array_equal(got, expected)


def test_a_tpu_has_a_blocks_relu_once_and_the_gradient_from_it():
  x = jnp.round(2.0 * jax.random.normal(jax.random.key(0), (3, 4, 4, 8)))
  assert np.mean(x == 0.0) > 0.1
  ways = both_ways(layers.relu, x, platform="tpu")
  for ours, theirs in zip(*ways, strict=True):
    assert np.std(theirs) > 0.1
    np.testing.assert_array_equal(ours, theirs)
  with platforms.lowering_for("tpu"):
    out, pull = jax.vjp(layers.relu, x)
    text = primitives(lambda x: layers.relu(x), x)
  assert "optimization_barrier" in text
  kept = jax.tree.leaves(pull)
  assert kept
  for array in kept:
    np.testing.assert_array_equal(array, out)


@pytest.mark.parametrize("platform", ["gpu", "tpu"])
def test_other_devices_have_xlas_own(platform):
  x, weight = jnp.ones((1, 2, 2, 1)), jnp.ones((3, 3, 1, 1))

  def run(x, weight):
    with platforms.lowering_for(platform):
      return layers.max_pool(layers.conv(x, weight, 1))

  text = primitives(run, x, weight)
  assert "conv_general_dilated" in text
  assert "reduce_window" in text
  assert "custom_vjp" not in text


@pytest.mark.parametrize(("kernel", "stride"), [(7, 2), (3, 1), (1, 2)])
def test_conv_draws_as_haikus(kernel, stride):
  x = jax.random.normal(jax.random.key(0), (2, 9, 9, 3))
  ours = hk.transform(lambda x: layers.Conv(4, kernel, stride, "c")(x))
  theirs = hk.transform(
    lambda x: hk.Conv2D(4, kernel, stride, with_bias=False, name="c")(x)
  )
  key = jax.random.key(1)
  params, expected = ours.init(key, x), theirs.init(key, x)
  np.testing.assert_array_equal(params["c"]["w"], expected["c"]["w"])
  np.testing.assert_allclose(
    ours.apply(params, None, x),
    theirs.apply(params, None, x),
    rtol=1e-5,
    atol=1e-5,
  )


def test_weight_is_float32_and_computes_in_the_inputs_type():
  x = jnp.ones((2, 4, 4, 3), jnp.bfloat16)
  conv = hk.transform(lambda x: layers.Conv(4, 3, 1, "c")(x))
  params = conv.init(jax.random.key(0), x)
  assert params["c"]["w"].dtype == jnp.float32
  assert conv.apply(params, None, x).dtype == jnp.bfloat16


def test_standardized_weights_reach_the_convolution():
  x = jax.random.normal(jax.random.key(0), (2, 4, 4, 3))

  def forward(x):
    with norms.standardized_weights(True):
      return layers.Conv(4, 3, 1, "c")(x)

  conv = hk.transform(forward)
  params = conv.init(jax.random.key(1), x)
  weight = norms.standardize_weight(params["c"]["w"])
  np.testing.assert_allclose(
    conv.apply(params, None, x), layers.conv(x, weight, 1), rtol=1e-6
  )
