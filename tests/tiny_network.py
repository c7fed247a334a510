"""The smallest network, and the shapes of any."""

import jax
import jax.numpy as jnp

from byol_jax import parallel
from byol_jax.networks import network

SPEC = network.Spec(
  encoder="tiny_resnet",
  width_multiplier=1,
  stem="imagenet",
  zero_init_last_scale=False,
  encoder_norm="batch",
  norm_groups=16,
  weight_standardization=False,
  projector_hidden=(16,),
  predictor_hidden=(16,),
  projection_dim=8,
  projector_norm="batch",
  predictor_norm="batch",
  projector_output_norm=False,
  head_bias=False,
  predictor="mlp",
  num_classes=5,
  norm_decay=0.9,
  norm_epsilon=1e-5,
  mean_rgb=(0.485, 0.456, 0.406),
  std_rgb=(0.229, 0.224, 0.225),
)


def shapes(spec, image_px=64):
  """Abstract variables: nothing is computed."""
  net = network.make_network(spec, parallel.AXIS)
  images = jnp.zeros((2, image_px, image_px, 3))
  init = parallel.one_device(lambda x: net.init(jax.random.key(0), x))
  return jax.eval_shape(init, images)


def step(net):
  """Outputs, averages and gradients in training."""

  def loss(params, stats, images):
    outputs, stats = net.apply(network.Variables(params, stats), images, True)
    weights = jax.random.normal(jax.random.key(2), outputs.prediction.shape)
    return jnp.sum(outputs.prediction * weights), (outputs, stats)

  return parallel.one_device(jax.grad(loss, has_aux=True))
