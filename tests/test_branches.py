import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import parallel
from byol_jax.networks import branches, layers, norms

SETTINGS = norms.Settings(2, 0.9, 1e-5, parallel.AXIS, num_abreast=2)


def plain(norm, x, is_training):
  return layers.max_pool(norm(x, is_training))


@pytest.mark.parametrize("kind", ["batch", "group"])
def test_a_norm_pooled_is_the_pool_of_the_norm(kind):
  x = 3.0 * jax.random.normal(jax.random.key(0), (3, 9, 8, 4)) + 1.0
  outer = jax.random.normal(jax.random.key(1), (3, 5, 4, 4))

  def run(pool):
    def forward(x):
      return pool(norms.maker(kind, SETTINGS)("norm", False), x, True)

    network = hk.transform_with_state(forward)

    def gradients(x):
      params, stats = network.init(None, x)
      shape = params["norm"]["scale"].shape
      scale = jnp.array([2.0, -1.0, 0.5, -3.0]).reshape(shape)
      params["norm"]["scale"] = scale

      def loss(params, x):
        out, after = network.apply(params, stats, None, x)
        return jnp.sum(out * outer), (out, after)

      return jax.grad(loss, (0, 1), has_aux=True)(params, x)

    return parallel.one_device(gradients)(x)

  ours, theirs = run(branches.max_pool), run(plain)
  for got, wanted in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True):
    if wanted.size > 1:
      assert np.std(wanted) > 1e-3
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)
