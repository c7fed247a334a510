"""The whole network: standardise, encode, project, predict, classify."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import haiku as hk
import jax
import jax.numpy as jnp

from byol_jax.networks import mlp, resnet
from byol_jax.types import Variables


class Spec(NamedTuple):
  """Everything that shapes the parameters, as plain values.

  Attributes:
    encoder: a key of `resnet.ARCHITECTURES`.
    width_multiplier: factor on the encoder's channels.
    stem: "imagenet" or "cifar".
    zero_init_last_scale: start each block's last scale at 0.
    projector_hidden: widths of the projector's hidden layers.
    predictor_hidden: widths of the predictor's hidden layers.
    projection_dim: width of projection and prediction.
    num_classes: of the online classifier; 0 when the data has no labels.
    norm_decay: share of the old batch-norm average that one batch keeps.
    norm_epsilon: added to the variance.
    mean_rgb: mean of the pictures, in [0, 1].
    std_rgb: standard deviation of the pictures, in [0, 1].
  """

  encoder: str
  width_multiplier: int
  stem: str
  zero_init_last_scale: bool
  projector_hidden: tuple[int, ...]
  predictor_hidden: tuple[int, ...]
  projection_dim: int
  num_classes: int
  norm_decay: float
  norm_epsilon: float
  mean_rgb: tuple[float, float, float]
  std_rgb: tuple[float, float, float]


class Outputs(NamedTuple):
  """What the network says of a batch.

  Attributes:
    representation: y, [batch, channels], of the encoder.
    projection: z, [batch, projection_dim].
    prediction: q(z), [batch, projection_dim].
    logits: [batch, num_classes] of a linear classifier on the representation,
      which gets no gradient from it; () without classes.
  """

  representation: chex.Array
  projection: chex.Array
  prediction: chex.Array
  logits: chex.Array | tuple[()]


class Network(NamedTuple):
  """Two pure functions.

  Attributes:
    init: (key, images) to `Variables`.
    apply: (variables, images, is_training) to `Outputs` and new stats; one call
      per view, since a call is what a batch statistic is taken over.
  """

  init: Callable[[chex.PRNGKey, chex.Array], Variables]
  apply: Callable[[Variables, chex.Array, bool], tuple[Outputs, chex.ArrayTree]]


def make_network(spec: Spec, axis_name: str) -> Network:
  """Builds the network that online and target share.

  Args:
    spec: shape of the network.
    axis_name: mapped axis over which batch statistics are averaged; both
      functions must run where it is bound.

  Returns:
    A `Network` of images [batch, height, width, 3] in [0, 1].
  """
  forward = hk.transform_with_state(
    lambda images, is_training: _forward(spec, axis_name, images, is_training)
  )

  def init(key, images):
    return Variables(*forward.init(key, images, True))

  def apply(variables, images, is_training):
    return forward.apply(*variables, None, images, is_training)

  return Network(init, apply)


def _forward(spec, axis_name, images, is_training):
  chex.assert_shape(images, (None, None, None, 3))

  def make_norm(name, zero_scale):
    return hk.BatchNorm(
      create_scale=True,
      create_offset=True,
      decay_rate=spec.norm_decay,
      eps=spec.norm_epsilon,
      scale_init=jnp.zeros if zero_scale else jnp.ones,
      cross_replica_axis=axis_name,
      name=name,
    )

  encoder = resnet.ResNet(
    resnet.ARCHITECTURES[spec.encoder],
    spec.width_multiplier,
    spec.stem,
    spec.zero_init_last_scale,
    make_norm,
  )
  dim = spec.projection_dim
  projector = mlp.MLP(spec.projector_hidden, dim, make_norm, "projector")
  predictor = mlp.MLP(spec.predictor_hidden, dim, make_norm, "predictor")
  representation = encoder(standardize(images, spec), is_training)
  projection = projector(representation, is_training)
  prediction = predictor(projection, is_training)
  logits = ()
  if spec.num_classes:
    classifier = hk.Linear(spec.num_classes, name="classifier")
    logits = classifier(jax.lax.stop_gradient(representation))
  return Outputs(representation, projection, prediction, logits)


def standardize(images: chex.Array, spec: Spec) -> chex.Array:
  """Brings [..., 3] images in [0, 1] to about mean 0 and variance 1."""
  shape = (1,) * (images.ndim - 1) + (3,)
  mean, std = (jnp.reshape(jnp.array(x), shape) for x in spec[-2:])
  return (images - mean) / std
