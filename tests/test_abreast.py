import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import parallel, platforms
from byol_jax.networks import abreast, network, resnet
from tests import tiny_network

BOTTLENECKS = resnet.Architecture("narrow", (2, 1), (16, 32), True, 8)
# With the map of the stem when two views of four pictures lie abreast.
CHOICES = {
  "stem alone": ({"encoder": "one_conv", "stem": "cifar"}, "[4,32,32,32]"),
  "standardised weights": (
    {"encoder": "one_conv", "stem": "cifar", "weight_standardization": True},
    "[4,32,32,32]",
  ),
  "two of 64 channels": ({"width_multiplier": 8}, "[4,16,16,128]"),
}


@pytest.fixture(autouse=True)
def architectures(monkeypatch):
  monkeypatch.setitem(resnet.ARCHITECTURES, "narrow", BOTTLENECKS)


def views(count=2, batch=4):
  return jax.random.uniform(jax.random.key(0), (count, batch, 32, 32, 3))


def variables(net):
  # Two batches, so that the averages are of neither.
  def start(first, second):
    drawn = net.init(jax.random.key(1), first)
    return drawn._replace(stats=net.apply(drawn, second, True)[1])

  return parallel.one_device(start)


def built(choice, dtype="float32"):
  spec = tiny_network.SPEC._replace(**{"encoder": "narrow", **choice})
  return network.make_network(spec, parallel.AXIS, dtype)


def text(choice, shape=(2, 4), platform="tpu", dtype="float32"):
  net = built(choice, dtype)
  given = jax.eval_shape(variables(net), *views())
  with platforms.lowering_for(platform):
    return str(jax.make_jaxpr(tiny_network.step(net))(*given, views(*shape)))


@pytest.mark.parametrize("name", CHOICES)
def test_views_abreast_make_the_same_step(name):
  choice, _ = CHOICES[name]
  net = built(choice)
  given = (*jax.jit(variables(net))(*views()), views())
  found = []
  for platform in ("tpu", "gpu"):
    with platforms.lowering_for(platform):
      found.append(jax.jit(tiny_network.step(net))(*given))
  ours, theirs = found
  outputs = theirs[1][0]
  assert np.std(outputs.representation[0] - outputs.representation[1]) > 1e-3
  for module, leaves in theirs[0].items():
    if "initial_conv" in module:
      assert np.std(leaves["w"]) > 1e-4
  jax.tree.map_with_path(assert_close, ours, theirs)


def assert_close(path, x, y):
  # A bias before a batch norm has rounding for its gradient.
  least = 1e-2 if path[-1] == jax.tree_util.DictKey("b") else 1e-6
  limit = least + 1e-3 * np.abs(y).max()
  np.testing.assert_allclose(x, y, rtol=0, atol=limit)


@pytest.mark.parametrize("name", CHOICES)
def test_a_tpu_sees_few_channels_of_all_views_at_once(name):
  choice, shape = CHOICES[name]
  assert shape in text(choice)
  assert shape not in text(choice, platform="gpu")


@pytest.mark.parametrize(
  ("choice", "shape"),
  [
    ({}, (1, 4)),
    ({}, (2, 64)),
    ({"width_multiplier": 16}, (2, 4)),
    ({"encoder_norm": "group", "norm_groups": 4}, (2, 4)),
    ({"encoder_norm": "layer"}, (2, 4)),
  ],
)
def test_others_go_by_views(choice, shape):
  channels = 2 * BOTTLENECKS.stem_channels * choice.get("width_multiplier", 1)
  assert f"[{shape[1]},16,16,{channels}]" not in text(choice, shape)


def test_bottlenecks_in_bfloat16_lie_abreast_in_any_batch():
  assert "bf16[64,16,16,16]" in text({}, (2, 64), dtype="bfloat16")
  assert "[64,16,16,16]" not in text({}, (2, 64))
  basic = {"encoder": "resnet8", "stem": "imagenet"}
  assert "[64,16,16,32]" not in text(basic, (2, 64), dtype="bfloat16")


def test_channels_lie_view_by_view():
  x = jnp.arange(24).reshape(2, 3, 4)
  joined = abreast.join(x)
  np.testing.assert_array_equal(joined[1], [4, 5, 6, 7, 16, 17, 18, 19])
  np.testing.assert_array_equal(abreast.part(joined, 2), x)
