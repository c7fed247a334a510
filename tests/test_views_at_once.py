"""What is computed for both views at once, and in what precision."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import parallel, platforms
from byol_jax.networks import network
from byol_jax.types import Variables
from tests import tiny_network

SPEC = tiny_network.SPEC._replace(encoder="resnet8", stem="cifar")


@pytest.fixture(scope="module")
def views():
  images = jax.random.uniform(jax.random.key(0), (2, 4, 8, 8, 3))
  return images * jnp.array([1.0, 0.4]).reshape(2, 1, 1, 1, 1)


def built(dtype="float32"):
  return network.make_network(SPEC, parallel.AXIS, dtype)


@pytest.fixture(scope="module")
def variables(views):
  init = parallel.one_device(lambda x: built().init(jax.random.key(1), x))
  return jax.jit(init)(views[0])


def apply(variables, images, dtype="float32"):
  run = parallel.one_device(lambda x: built(dtype).apply(variables, x, True))
  return jax.jit(run)(images)


@pytest.mark.parametrize("platform", ["cpu", "gpu", "tpu"])
def test_both_views_at_once_are_one_after_the_other(views, variables, platform):
  with platforms.lowering_for(platform):
    outputs, after = apply(variables, views)
  stats = variables.stats
  for view, images in enumerate(views):
    alone, stats = apply(Variables(variables.params, stats), images)
    seen = jax.tree.map(lambda x, view=view: x[view], outputs)
    assert np.std(alone.prediction) > 0.01
    chex.assert_trees_all_close(seen, alone, rtol=1e-4, atol=1e-5)
  chex.assert_trees_all_close(after, stats, rtol=1e-4, atol=1e-5)
  counters = [x for x in jax.tree.leaves(after) if x.dtype == jnp.int32]
  assert {int(x) for x in counters} == {2}


@pytest.mark.parametrize("platform", ["cpu", "tpu"])
def test_bfloat16_is_the_encoders_alone(views, variables, platform):
  with platforms.lowering_for(platform):
    rough, stats = apply(variables, views, "bfloat16")
  exact, _ = apply(variables, views)
  leaves = jax.tree.leaves((rough, stats))
  assert {x.dtype for x in leaves} <= {np.dtype("float32"), np.dtype("int32")}
  error = np.abs(rough.representation - exact.representation)
  assert 1e-4 < error.max() < 0.05 * np.abs(exact.representation).max()


def test_parameters_are_drawn_the_same_in_bfloat16(views, variables):
  init = parallel.one_device(
    lambda x: built("bfloat16").init(jax.random.key(1), x)
  )
  params = jax.jit(init)(views[0]).params
  chex.assert_trees_all_close(params, variables.params, atol=1e-6)
  chex.assert_trees_all_equal_dtypes(params, variables.params)


def test_evaluations_are_float32(views, variables):
  def evaluate(dtype):
    run = parallel.one_device(
      lambda x: built(dtype).apply(variables, x, False)[0]
    )
    return jax.jit(run)(views[0])

  exact = evaluate("float32")
  assert np.std(exact.representation) > 0.01
  chex.assert_trees_all_equal(evaluate("bfloat16"), exact)
