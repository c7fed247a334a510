import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import parallel
from byol_jax.networks import mlp, network, resnet
from tests import tiny_network


def num_encoder_params(variables):
  return sum(
    leaf.size
    for module, leaves in variables.params.items()
    if module.startswith("res_net")
    for leaf in leaves.values()
  )


# Paper, table of the linear evaluation by encoder, in millions; recounted.
@pytest.mark.parametrize(
  ("depth", "width", "millions"),
  [
    (50, 1, 23.5),
    (101, 1, 42.5),
    (152, 1, 58.1),
    (200, 1, 62.6),
    (50, 2, 93.9),
    (101, 2, 169.8),
    (50, 3, 211.2),
    (152, 2, 232.3),
    (200, 2, 250.1),
    (50, 4, 375.4),
    (101, 3, 381.8),
    (152, 3, 522.3),
  ],
)
def test_encoder_has_the_published_number_of_parameters(depth, width, millions):
  spec = tiny_network.SPEC._replace(
    encoder=f"resnet{depth}", width_multiplier=width
  )
  count = num_encoder_params(tiny_network.shapes(spec))
  assert round(count / 1e6, 1) == millions


def test_resnet50_has_the_released_names():
  variables = tiny_network.shapes(
    tiny_network.SPEC._replace(encoder="resnet50")
  )
  params, stats = variables
  assert params["res_net50/~/initial_conv"]["w"].shape == (7, 7, 3, 64)
  block = "res_net50/~/block_group_0/~/block_0/~/"
  assert params[block + "conv_0"]["w"].shape == (1, 1, 64, 64)
  assert params[block + "conv_1"]["w"].shape == (3, 3, 64, 64)
  assert params[block + "shortcut_conv"]["w"].shape == (1, 1, 64, 256)
  assert set(params[block + "batchnorm_2"]) == {"scale", "offset"}
  assert set(params["projector/linear"]) == {"w", "b"}
  assert set(params["projector/batch_norm"]) == {"scale", "offset"}
  assert set(params["projector/linear_1"]) == {"w"}
  assert set(params["predictor/linear_1"]) == {"w"}
  assert params["classifier"]["w"].shape == (2048, 5)
  average = stats["projector/batch_norm/~/mean_ema"]
  assert set(average) == {"hidden", "average", "counter"}
  assert "res_net50/~/initial_batchnorm/~/var_ema" in stats


@pytest.mark.parametrize("bottleneck", [True, False])
def test_resnet_agrees_with_haikus(bottleneck):
  blocks, channels = (2, 1, 1, 1), (16, 32, 32, 64)
  ours = hk.transform_with_state(
    lambda x: resnet.ResNet(
      resnet.Architecture("res_net", blocks, channels, bottleneck),
      width_multiplier=1,
      stem="imagenet",
      zero_init_last_scale=False,
      make_norm=lambda name, zero: hk.BatchNorm(True, True, 0.9, name=name),
    )(x, True)
  )
  theirs = hk.transform_with_state(
    lambda x: hk.nets.ResNet(
      blocks, 64, bottleneck=bottleneck, channels_per_group=channels
    )(x, True)
  )
  images = jax.random.normal(jax.random.key(0), (2, 64, 64, 3))
  params, stats = jax.jit(ours.init)(jax.random.key(1), images)
  first = "res_net/~/block_group_0/~/block_0/~/shortcut_conv"
  drawn = jax.jit(lambda *args: theirs.init(*args)[0][first])(
    jax.random.key(1), images
  )
  np.testing.assert_allclose(params[first]["w"], drawn["w"], rtol=1e-4)
  logits = {"w": jnp.eye(64), "b": jnp.zeros(64)}
  expected, _ = jax.jit(theirs.apply)(
    {**params, "res_net/~/logits": logits}, stats, None, images
  )
  got, _ = jax.jit(ours.apply)(params, stats, None, images)
  assert np.std(got) > 0.01
  np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_zero_init_touches_the_last_scale_of_a_block_only():
  spec = tiny_network.SPEC._replace(zero_init_last_scale=True)
  net = network.make_network(spec, parallel.AXIS)
  init = parallel.one_device(lambda x: net.init(jax.random.key(0), x))
  params = jax.jit(init)(jnp.ones((2, 64, 64, 3))).params
  scales = {k: v["scale"] for k, v in params.items() if "scale" in v}
  zero = {name for name, scale in scales.items() if not scale.any()}
  assert zero == {
    f"tiny_res_net/~/block_group_{group}/~/block_0/~/batchnorm_1"
    for group in range(4)
  }


@pytest.mark.parametrize(("stem", "maps"), [("imagenet", 8), ("cifar", 32)])
def test_stem_sets_the_resolution(stem, maps):
  spec = tiny_network.SPEC._replace(encoder="resnet8", stem=stem)
  variables = tiny_network.shapes(spec, 32)
  kernel = variables.params["res_net8/~/initial_conv"]["w"].shape
  assert kernel == ((7, 7, 3, 16) if stem == "imagenet" else (3, 3, 3, 16))
  seen = []

  def watch(next_f, args, kwargs, context):
    out = next_f(*args, **kwargs)
    group0 = context.module.module_name.endswith("block_group_0")
    if group0 and context.method_name == "__call__":
      seen.append(out.shape[1])
    return out

  with hk.intercept_methods(watch):
    tiny_network.shapes(spec, 32)
  assert seen[-1] == maps


def test_no_labels_no_classifier():
  variables = tiny_network.shapes(tiny_network.SPEC._replace(num_classes=0))
  assert "classifier" not in variables.params
  assert "projector/linear" in variables.params


@pytest.mark.parametrize("hidden", [(), (16,), (16, 12)])
def test_mlp_has_norms_after_hidden_layers_only(hidden):
  forward = hk.transform_with_state(
    lambda x: mlp.MLP(
      (*hidden, 8),
      lambda name, _: hk.BatchNorm(True, True, 0.9, name=name),
      with_bias=False,
      output_norm=False,
      name="p",
    )(x, True)
  )
  params, _ = forward.init(jax.random.key(0), jnp.ones((2, 4)))
  norms = [name for name in params if "norm" in name]
  linear = [name for name in params if "linear" in name]
  assert len(norms) == len(hidden)
  assert len(linear) == len(hidden) + 1
  assert set(params[linear[-1]]) == {"w"}


def test_classifier_sends_no_gradient_to_the_encoder():
  net = network.make_network(tiny_network.SPEC, parallel.AXIS)
  images = jax.random.uniform(jax.random.key(0), (2, 64, 64, 3))

  def logits(params, variables, images):
    outputs, _ = net.apply(variables._replace(params=params), images, True)
    return outputs.logits.sum()

  @parallel.one_device
  def grads(images):
    variables = net.init(jax.random.key(0), images)
    return jax.grad(logits)(variables.params, variables, images)

  result = jax.jit(grads)(images)
  assert np.abs(result["classifier"]["w"]).max() > 0.0
  np.testing.assert_array_equal(result["tiny_res_net/~/initial_conv"]["w"], 0.0)
