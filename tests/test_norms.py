import chex
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import parallel
from byol_jax.networks import norms

SETTINGS = norms.Settings(
  groups=2, decay=0.9, epsilon=1e-5, axis_name=parallel.AXIS
)
KINDS = ["batch", "layer", "group", "affine"]
# Which axes of [batch, height, width, groups, channels of a group] share their
# statistics.
AXES = {
  "batch": (0, 1, 2),
  "layer": (1, 2, 3, 4),
  "group": (1, 2, 4),
  "affine": (0, 1, 2),
}


def transformed(kind, zero_scale=False):
  def forward(x):
    return norms.maker(kind, SETTINGS)("norm", zero_scale)(x, True)

  return hk.transform_with_state(forward)


def alone(function):
  """One device and one view."""

  def run(*args):
    wide = [x[None] for x in args]
    seen = jax.vmap(function, axis_name=norms.VIEWS)(*wide)
    return jax.tree.map(lambda x: x[0], seen)

  return parallel.one_device(run)


def activations(seed=0, batch=4):
  """Each example and channel has a mean and a deviation of its own."""
  rng = np.random.default_rng(seed)
  shape = (batch, 3, 3, 4)
  deviation, mean = rng.uniform(0.5, 3.0, (2, batch, 1, 1, 4))
  return (mean + deviation * rng.normal(size=shape)).astype(np.float32)


def expected_norm(x, axes, scale=1.0, offset=0.0):
  grouped = x.astype(np.float64).reshape(*x.shape[:3], 2, 2)
  centred = grouped - grouped.mean(axes, keepdims=True)
  deviation = np.sqrt((centred**2).mean(axes, keepdims=True) + 1e-5)
  return (centred / deviation).reshape(x.shape) * scale + offset


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
  return request.param


def test_norm_starts_as_numpys(kind):
  x = activations()
  norm = transformed(kind)

  @alone
  def run(x):
    params, stats = norm.init(None, x)
    return norm.apply(params, stats, None, x)[0]

  np.testing.assert_allclose(
    run(jnp.asarray(x)), expected_norm(x, AXES[kind]), rtol=1e-4, atol=1e-4
  )


@pytest.mark.parametrize("kind", ["batch", "layer", "group"])
def test_scale_and_offset_are_per_channel(kind):
  x = activations()
  norm = transformed(kind)
  scale, offset = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32)

  @alone
  def run(x):
    params, stats = norm.init(None, x)
    shape = params["norm"]["scale"].shape
    new = {"scale": scale.reshape(shape), "offset": offset.reshape(shape)}
    return norm.apply({"norm": new}, stats, None, x)[0]

  expected = expected_norm(x, AXES[kind], scale, offset)
  np.testing.assert_allclose(
    run(jnp.asarray(x)), expected, rtol=1e-4, atol=1e-3
  )


def test_parameters_are_scale_and_offset_per_channel(kind):
  init = alone(lambda x: transformed(kind).init(None, x))
  params, stats = jax.eval_shape(init, activations())
  assert set(params) == {"norm"}
  sizes = {name: leaf.size for name, leaf in params["norm"].items()}
  assert sizes == {"scale": 4, "offset": 4}
  assert bool(stats) == (kind == "batch")


def test_zero_scale_makes_zeros_at_first(kind):
  x = jnp.asarray(activations())
  init = alone(lambda x: transformed(kind, True).init(None, x))
  params, _ = init(x)
  np.testing.assert_array_equal(params["norm"]["scale"], 0.0)
  np.testing.assert_array_equal(params["norm"]["offset"], 0.0)


@pytest.fixture(scope="module")
def side_by_side():
  """Outputs and averages of two views, each with statistics of its own."""
  views = np.stack([activations(0), 2.0 * activations(1) + 1.0])
  norm = transformed("batch")
  variables = alone(lambda x: norm.init(None, x))(views[0])

  def run(views):
    return jax.vmap(
      lambda x: norm.apply(*variables, None, x),
      out_axes=(0, None),
      axis_name=norms.VIEWS,
    )(views)

  return views, variables, parallel.one_device(run)(views)


def test_views_side_by_side_are_normalised_each_by_itself(side_by_side):
  views, _, (outputs, _) = side_by_side
  for view, output in zip(views, outputs, strict=True):
    expected = expected_norm(view, AXES["batch"])
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-4)


def test_averages_take_one_view_after_the_other(side_by_side):
  views, (params, stats), (_, after) = side_by_side
  norm = transformed("batch")
  for view in views:
    apply = alone(lambda x, stats=stats: norm.apply(params, stats, None, x))
    _, stats = apply(view)
  chex.assert_trees_all_close(after, stats, rtol=1e-6)
  means = np.ravel(after["norm/~/mean_ema"]["average"])
  assert np.all(np.abs(means - views[1].mean((0, 1, 2))) > 1e-3)


def test_a_norm_of_bfloat16_is_float32_inside(kind):
  x = jnp.asarray(activations() + 3.0, jnp.bfloat16)
  norm = transformed(kind)

  def run(x):
    variables = norm.init(None, x)
    return variables, norm.apply(*variables, None, x)[0]

  variables, rough = alone(run)(x)
  exact_variables, exact = alone(run)(x.astype(jnp.float32))
  chex.assert_trees_all_equal_dtypes(variables, exact_variables)
  chex.assert_trees_all_close(variables, exact_variables, rtol=1e-5)
  assert rough.dtype == jnp.bfloat16
  assert np.std(exact) > 0.5
  np.testing.assert_array_equal(rough, exact.astype(jnp.bfloat16))


def test_batch_norm_of_bfloat16_has_float32_statistics():
  x = jnp.asarray(activations() + 100.0, jnp.bfloat16)
  norm = transformed("batch")

  @alone
  def run(x):
    params, stats = norm.init(None, x)
    return norm.apply(params, stats, None, x)

  output, stats = run(x)
  assert output.dtype == jnp.bfloat16
  mean = stats["norm/~/mean_ema"]["average"]
  assert mean.dtype == jnp.float32
  np.testing.assert_allclose(
    np.ravel(mean), np.asarray(x, np.float64).mean((0, 1, 2)), rtol=1e-5
  )
  expected = expected_norm(np.asarray(x, np.float64), AXES["batch"])
  np.testing.assert_allclose(output, expected, rtol=0.01, atol=0.01)


def test_none_returns_its_input_and_has_no_parameters():
  x = jnp.asarray(activations())
  norm = transformed("none")
  assert norm.init(None, x) == ({}, {})
  np.testing.assert_array_equal(norm.apply({}, {}, None, x)[0], x)


def test_affine_has_its_first_batchs_statistics_for_good():
  first, later = activations(0), activations(1)
  norm = transformed("affine")

  @alone
  def run(first, later):
    params, stats = norm.init(None, first)
    return norm.apply(params, stats, None, later)[0]

  mean, variance = first.mean((0, 1, 2)), first.var((0, 1, 2))
  np.testing.assert_allclose(
    run(jnp.asarray(first), jnp.asarray(later)),
    (later - mean) / np.sqrt(variance + 1e-5),
    rtol=1e-4,
    atol=1e-4,
  )


def test_affine_starts_alike_on_one_device_and_two():
  x = activations()

  def init(x):
    return transformed("affine").init(None, x)[0]["norm"]

  one = parallel.one_device(init)(jnp.asarray(x))
  two = parallel.pmap(init)(x.reshape(2, -1, *x.shape[1:]))
  np.testing.assert_allclose(
    np.ravel(one["scale"]), 1 / np.sqrt(x.var((0, 1, 2)) + 1e-5), rtol=1e-5
  )
  for name in ("scale", "offset"):
    for replica in np.asarray(two[name]):
      np.testing.assert_allclose(replica, one[name], rtol=1e-5)


@pytest.mark.parametrize("kind", ["layer", "group"])
def test_norm_of_features_is_per_example(kind):
  x = activations()[:, 0, 0]
  norm = transformed(kind)
  params, stats = norm.init(None, jnp.asarray(x))
  whole, _ = norm.apply(params, stats, None, jnp.asarray(x))
  half, _ = norm.apply(params, stats, None, jnp.asarray(x[:2]))
  assert np.abs(whole).max() > 0.5
  np.testing.assert_allclose(half, whole[:2], rtol=1e-6, atol=1e-6)


def test_standardized_weight_has_mean_0_and_variance_1_per_output():
  weight = np.random.default_rng(0).normal(0.3, 0.02, (3, 3, 5, 4))
  mean, variance = weight.mean((0, 1, 2)), weight.var((0, 1, 2))
  got = norms.standardize_weight(jnp.asarray(weight, jnp.float32))
  np.testing.assert_allclose(got.mean((0, 1, 2)), 0.0, atol=1e-5)
  np.testing.assert_allclose(
    got, (weight - mean) / np.sqrt(variance + 1e-4), rtol=1e-3, atol=1e-4
  )


def test_layers_draw_and_train_the_raw_weight():
  def forward(x, active):
    with norms.standardized_weights(active):
      return hk.Linear(4)(x)

  linear = hk.transform(forward)
  x = jnp.eye(3)
  raw = linear.init(jax.random.key(0), x, active=True)
  plain = linear.init(jax.random.key(0), x, active=False)
  assert np.abs(raw["linear"]["w"]).max() > 0.1
  np.testing.assert_array_equal(raw["linear"]["w"], plain["linear"]["w"])
  seen = linear.apply(raw, None, x, active=True)
  np.testing.assert_allclose(
    seen, norms.standardize_weight(raw["linear"]["w"]), rtol=1e-5, atol=1e-6
  )
  np.testing.assert_allclose(
    linear.apply(raw, None, x, active=False), raw["linear"]["w"], rtol=1e-5
  )
