"""Batch norm from moments: what `norms.BatchNorm` makes of a convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import parallel, platforms
from byol_jax.networks import moments, network, resnet, windows
from tests import tiny_network

EPSILON = 1e-3
DEVICES, VIEWS, BATCH, PX, OUT = 2, 2, 4, 3, 7


def draw(seed, shape, mean=0.0, deviation=1.0):
  drawn = np.random.default_rng(seed).normal(mean, deviation, shape)
  return jnp.asarray(drawn, jnp.float32)


def inputs(channels, seed):
  """Of each device and view, with means and deviations of their own."""
  shape = (DEVICES, VIEWS, BATCH, PX, PX, channels)
  apart = draw(seed + 50, (DEVICES, VIEWS, 1, 1, 1, channels), 1.0)
  return jax.nn.relu(draw(seed, shape) * (1.0 + jnp.abs(apart)) + apart)


def given(channels):
  """Inputs and parameters of a branch for each number of channels."""
  xs = [inputs(count, i) for i, count in enumerate(channels)]
  params = [
    (
      draw(10 + i, (1, 1, count, OUT)),
      draw(20 + i, (1, 1, 1, OUT), 1.0, 0.5),
      draw(30 + i, (1, 1, 1, OUT)),
    )
    for i, count in enumerate(channels)
  ]
  return xs, params


def by_moments(xs, params):
  sides = tuple(
    moments.Term(x, *of_branch) for x, of_branch in zip(xs, params, strict=True)
  )
  total, statistics = moments.add(sides, EPSILON, parallel.AXIS)
  return total, [tuple(of_branch) for of_branch in statistics]


def plainly(xs, params):
  """As mathematics has it."""
  total, statistics = 0.0, []
  for x, (weight, scale, offset) in zip(xs, params, strict=True):
    y = windows.conv(x, weight, 1)
    mean = jax.lax.pmean(jnp.mean(y, (0, 1, 2), keepdims=True), parallel.AXIS)
    apart = jnp.mean(jnp.square(y - mean), (0, 1, 2), keepdims=True)
    variance = jax.lax.pmean(apart, parallel.AXIS)
    total += scale * (y - mean) / jnp.sqrt(variance + EPSILON) + offset
    statistics.append((mean, variance))
  return total, statistics


def results(way, xs, params):
  """Of each device: sums, statistics and gradients."""
  outer = draw(40, (DEVICES, VIEWS, BATCH, PX, PX, OUT), 0.3)

  def run(xs, outer):
    def loss(xs, params):
      total, statistics = jax.vmap(lambda xs: way(xs, params))(xs)
      return jnp.sum(total * outer), (total, statistics)

    return jax.grad(loss, (0, 1), has_aux=True)(xs, params)

  return parallel.pmap(run)(xs, outer)


@pytest.mark.parametrize("channels", [(5,), (5, 3)], ids=["one", "two"])
def test_sums_and_gradients_are_the_batch_norms(channels):
  xs, params = given(channels)
  ours = results(by_moments, xs, params)
  theirs = results(plainly, xs, params)
  spread = theirs[1][0]
  assert np.std(spread[0] - spread[1]) > 0.1
  for got, wanted in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True):
    assert np.std(wanted) > 1e-2
    limit = 2e-5 * np.abs(wanted).max()
    np.testing.assert_allclose(got, wanted, rtol=0, atol=limit)


def test_the_mean_of_what_is_rounded_stays_the_offset():
  xs, params = given((5,))
  x = xs[0][0, 0].astype(jnp.bfloat16)
  weight, scale, offset = params[0]

  def run(x):
    branch = moments.Term(x, weight, scale, offset)
    return moments.add((branch,), EPSILON, parallel.AXIS)[0]

  total = parallel.one_device(run)(x + 20.0)
  assert total.dtype == jnp.bfloat16
  mean = np.asarray(total, np.float64).mean((0, 1, 2))
  assert np.std(offset) > 0.1
  np.testing.assert_allclose(mean, np.ravel(offset), rtol=0, atol=2e-2)


def test_in_bfloat16_the_gradients_are_float32s_and_have_no_mean():
  x = inputs(32, 0)[0].reshape(8, 3, 3, 32).astype(jnp.bfloat16)
  weight = draw(1, (1, 1, 32, 64), 0.0, 32**-0.5)
  scale, offset = draw(2, (1, 1, 1, 64), 1.0, 0.1), draw(3, (1, 1, 1, 64))
  apart = draw(5, (1, 1, 1, 64), 0.0, 10.0)
  outer = (draw(4, (8, 3, 3, 64)) + apart).astype(jnp.bfloat16)

  def gradients(way, x, outer):
    def run(x, params):
      return way([x], [params])[0]

    def pull(x, outer):
      return jax.vjp(run, x, (weight, scale, offset))[1](outer)

    return parallel.one_device(pull)(x, outer)

  ours = gradients(by_moments, x, outer)
  wide = (x.astype(jnp.float32), outer.astype(jnp.float32))
  theirs = gradients(plainly, *wide)
  assert ours[0].dtype == jnp.bfloat16
  assert {y.dtype for y in ours[1]} == {jnp.dtype("float32")}
  for got, wanted in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True):
    error = np.linalg.norm(np.asarray(got, np.float64) - wanted)
    assert error < 5e-3 * np.linalg.norm(wanted)
  mean = np.asarray(ours[0], np.float64).mean((0, 1, 2))
  assert np.abs(mean).max() < 5e-4 * np.std(theirs[0])


def test_it_pays_with_full_tiles_and_many_pixels():
  shape = (8, 8, 16, 128)

  def pay(shape, num_outputs=512, dtype=jnp.bfloat16, platform="tpu"):
    with platforms.lowering_for(platform):
      return moments.pay(jax.ShapeDtypeStruct(shape, dtype), num_outputs)

  assert pay(shape)
  assert not pay(shape, num_outputs=513)
  assert not pay(shape, num_outputs=511)
  assert not pay((7, 16, 16, 128))
  assert not pay((8, 12, 12, 127))
  assert pay((8, 32, 32, 512), num_outputs=2048)
  assert not pay((8, 32, 32, 513), num_outputs=2052)
  assert not pay(shape, dtype=jnp.float32)
  assert not pay(shape, platform="gpu")
  assert not pay(shape, platform="cpu")


BOTTLENECKS = resnet.Architecture("narrow", (1, 1), (16, 32), True, 8)


@pytest.fixture
def narrow(monkeypatch):
  monkeypatch.setitem(resnet.ARCHITECTURES, "narrow", BOTTLENECKS)
  return tiny_network.SPEC._replace(encoder="narrow")


@pytest.fixture
def sizes(monkeypatch):
  """How many branches each sum by moments has, where all seems to pay."""
  found, add = [], moments.add

  def count(given, *args):
    found.append(len(given))
    return add(given, *args)

  monkeypatch.setattr(moments, "pay", lambda x, num_outputs: True)
  monkeypatch.setattr(moments, "add", count)
  return found


def images():
  return jax.random.uniform(jax.random.key(0), (2, 4, 32, 32, 3))


def variables(spec):
  net = network.make_network(spec, parallel.AXIS)
  init = parallel.one_device(lambda x: net.init(jax.random.key(1), x))
  return jax.jit(init)(images()[0])


def step(spec, platform, variables):
  net = network.make_network(spec, parallel.AXIS)
  with platforms.lowering_for(platform):
    return jax.jit(tiny_network.step(net))(*variables, images())


def test_a_step_by_moments_is_the_same(narrow, request):
  start = variables(narrow)
  theirs = step(narrow, "gpu", start)
  sizes = request.getfixturevalue("sizes")
  for x, y in zip(
    *map(jax.tree.leaves, (variables(narrow), start)), strict=True
  ):
    np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)
  sizes.clear()
  ours = step(narrow, "tpu", start)
  assert sizes == [2, 1]
  jax.tree.map_with_path(assert_close, ours, theirs)
  scales = [v["scale"] for k, v in theirs[0].items() if "batchnorm_2" in k]
  assert min(map(np.std, scales)) > 1e-3


def assert_close(path, x, y):
  # A bias before a batch norm has rounding for its gradient.
  least = 1e-3 if path[-1] == jax.tree_util.DictKey("b") else 1e-6
  limit = least + 1e-3 * np.abs(y).max()
  np.testing.assert_allclose(x, y, rtol=0, atol=limit)


@pytest.mark.parametrize(
  ("choice", "is_training"),
  [
    ({}, False),
    ({"encoder_norm": "group", "norm_groups": 4}, True),
    ({"encoder_norm": "none"}, True),
  ],
)
def test_others_are_computed_as_they_stand(narrow, sizes, choice, is_training):
  net = network.make_network(narrow._replace(**choice), parallel.AXIS)

  def run(x):
    start = net.init(jax.random.key(1), x)
    sizes.clear()
    return net.apply(start, x, is_training)

  jax.eval_shape(parallel.one_device(run), images()[0])
  assert sizes == []
