"""Up-projection: the fast form against the form with unpooling."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from byol_jax.networks import norms, up_projection


def _unpooled(x):
  batch, height, width, channels = x.shape
  wide = np.zeros((batch, 2 * height, 2 * width, channels), np.float32)
  wide[:, ::2, ::2] = x
  return wide


def _slow_up_conv(x, weight):
  """Unpooling, then 25 shifted products."""
  wide = np.pad(_unpooled(x), ((0, 0), (2, 2), (2, 2), (0, 0)))
  height, width = 2 * x.shape[1], 2 * x.shape[2]
  return sum(
    wide[:, i : i + height, j : j + width] @ weight[i, j]
    for i in range(5)
    for j in range(5)
  )


def test_up_conv_equals_unpooling_and_a_convolution():
  rng = np.random.default_rng(0)
  x = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
  weight = rng.normal(size=(5, 5, 5, 6)).astype(np.float32)
  expected = _slow_up_conv(x, weight)
  assert np.abs(expected).min(axis=(0, 3)).min() > 0.0
  np.testing.assert_allclose(
    up_projection.up_conv(jnp.asarray(x), jnp.asarray(weight)),
    expected,
    rtol=1e-4,
    atol=1e-4,
  )


def _no_norm(name, zero_scale):
  del name, zero_scale
  return lambda x, is_training: x


def test_a_block_is_a_projection_plus_two_convolutions():
  rng = np.random.default_rng(0)
  x = rng.normal(size=(1, 3, 4, 2)).astype(np.float32)
  block = hk.without_apply_rng(
    hk.transform(
      lambda x: up_projection.UpProjection(3, _no_norm, "up")(x, True)
    )
  )
  params = block.init(jax.random.key(0), x)
  first, other, last = (
    np.asarray(params[f"up/~/{name}"]["w"]) for name in ("up_0", "up_1", "conv")
  )
  inner = np.maximum(_slow_up_conv(x, other), 0.0)
  wide = np.pad(inner, ((0, 0), (1, 1), (1, 1), (0, 0)))
  height, width = inner.shape[1:3]
  residual = sum(
    wide[:, i : i + height, j : j + width] @ last[i, j]
    for i in range(3)
    for j in range(3)
  )
  expected = np.maximum(_slow_up_conv(x, first) + residual, 0.0)
  assert expected.max() > 0.0
  np.testing.assert_allclose(
    block.apply(params, x), expected, rtol=1e-4, atol=1e-5
  )


def test_the_head_halves_channels_then_doubles_the_map_for_each_block():
  settings = norms.Settings(1, 0.9, 1e-5, "devices")
  head = hk.transform_with_state(
    lambda x: up_projection.DepthHead((6, 4), norms.maker("layer", settings))(
      x, True
    )
  )
  x = jnp.ones((2, 3, 4, 10))
  params, _ = jax.eval_shape(head.init, jax.random.key(0), x)
  shapes = {name: x.shape for name, x in _weights(params).items()}
  assert shapes == {
    "reduction": (1, 1, 10, 5),
    "block_0/up_0": (5, 5, 5, 6),
    "block_0/up_1": (5, 5, 5, 6),
    "block_0/conv": (3, 3, 6, 6),
    "block_1/up_0": (5, 5, 6, 4),
    "block_1/up_1": (5, 5, 6, 4),
    "block_1/conv": (3, 3, 4, 4),
    "prediction": (3, 3, 4, 1),
  }


def _weights(params):
  """The weights by module, without what all names begin with."""
  return {
    "/".join(part for part in name.split("/")[1:] if part != "~"): x["w"]
    for name, x in params.items()
    if "w" in x
  }
