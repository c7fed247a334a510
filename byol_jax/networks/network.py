"""The whole network: standardise, encode, project, predict, classify."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import haiku as hk
import jax
import jax.numpy as jnp

from byol_jax.networks import abreast, mlp, norms, pure, resnet
from byol_jax.networks.specs import EncoderSpec, Spec
from byol_jax.types import Variables

# Modules of the network that are not the encoder's.
_HEADS = ("projector", "predictor", "classifier")


class Outputs(NamedTuple):
  """What the network says of a batch.

  Attributes:
    representation: y, [batch, channels], of the encoder.
    projection: z, [batch, projection_dim]; () of an encoder alone.
    prediction: q(z), [batch, projection_dim]; () of an encoder alone.
    logits: [batch, num_classes] of a linear classifier on the representation,
      which gets no gradient from it; () without classes.
  """

  representation: chex.Array
  projection: chex.Array | tuple[()]
  prediction: chex.Array | tuple[()]
  logits: chex.Array | tuple[()]


class Network(NamedTuple):
  """Two pure functions.

  Attributes:
    init: (key, images) to `Variables`.
    apply: (variables, images, is_training) to `Outputs` and new stats. Images
      are [batch, height, width, 3]. Training, they may be [views, batch, ...]:
      batch statistics are then taken of each view, outputs have the leading
      axis, and the stats are those after one call per view.
  """

  init: Callable[[chex.PRNGKey, chex.Array], Variables]
  apply: Callable[[Variables, chex.Array, bool], tuple[Outputs, chex.ArrayTree]]


def make_network(
  spec: Spec, axis_name: str, compute_dtype: str = "float32"
) -> Network:
  """Builds the network that online and target share.

  Args:
    spec: shape of the network.
    axis_name: mapped axis over which batch statistics are averaged; both
      functions must run where it is bound.
    compute_dtype: of the encoder's activations in training, "float32" or
      "bfloat16"; parameters, batch statistics, the representation and all that
      follows it are float32 with either.

  Returns:
    A `Network` of images [batch, height, width, 3] in [0, 1].
  """

  def forward(images, is_training):
    dtype = compute_dtype if is_training else "float32"
    encoded = _encode(spec, axis_name, images, is_training, dtype)
    return _heads(spec, axis_name, encoded, is_training)

  return Network(
    *pure.functions(forward, _abreast(spec, axis_name, compute_dtype))
  )


def make_encoder(spec: EncoderSpec, axis_name: str) -> Network:
  """Builds the encoder alone, under the names that it has in the network.

  Args:
    spec: shape of the encoder.
    axis_name: as in `make_network`.

  Returns:
    A `Network` whose outputs are the representation and nothing else.
  """

  def forward(images, is_training):
    y = _encode(spec, axis_name, images, is_training)
    return Outputs(y, (), (), ())

  return Network(*pure.functions(forward))


def encoder_part(tree: Mapping[str, Any]) -> dict[str, Any]:
  """The encoder's modules of a network's parameters or averages.

  Args:
    tree: Haiku's two-level dict.

  Returns:
    The same without projector, predictor and classifier.
  """
  return {k: v for k, v in tree.items() if k.split("/")[0] not in _HEADS}


def weight_dtypes(
  params: Mapping[str, Any], spec: Spec, compute_dtype: str
) -> dict[str, Any]:
  """What each parameter may be rounded to before a training step.

  Convolutions compute with rounded weights. Where they are normalised by
  `moments` they round them with the norm's factor in them, and so twice.

  Args:
    params: Haiku's two-level dict of arrays or shapes.
    spec: shape of the network.
    compute_dtype: as in `make_network`.

  Returns:
    The same tree of dtypes, the parameters' own unless they are an encoder's
    convolutions that are not standardised before they are rounded.
  """
  rounded = {} if spec.weight_standardization else encoder_part(params)

  def dtype(module, name, x):
    return compute_dtype if module in rounded and name == "w" else x.dtype

  return {
    module: {
      name: jnp.dtype(dtype(module, name, x)) for name, x in leaves.items()
    }
    for module, leaves in params.items()
  }


def _heads(spec, axis_name, representation, is_training):
  """All that follows the encoder."""
  with norms.standardized_weights(spec.weight_standardization):
    projection = _projector(spec, axis_name)(representation, is_training)
    prediction = projection
    if spec.predictor == "mlp":
      prediction = _predictor(spec, axis_name)(projection, is_training)
  logits = ()
  if spec.num_classes:
    classifier = hk.Linear(spec.num_classes, name="classifier")
    logits = classifier(jax.lax.stop_gradient(representation))
  return Outputs(representation, projection, prediction, logits)


def _encode(spec, axis_name, images, is_training, compute_dtype="float32"):
  """The representation, [batch, channels] float32."""
  chex.assert_shape(images, (None, None, None, 3))
  with norms.standardized_weights(spec.weight_standardization):
    images = standardize(images, spec).astype(compute_dtype)
    return _encoder(spec, axis_name)(images, is_training)


def _encoder(spec, axis_name, num_abreast=1):
  return resnet.ResNet(
    resnet.ARCHITECTURES[spec.encoder],
    spec.width_multiplier * num_abreast,
    spec.stem,
    spec.zero_init_last_scale,
    norm_maker(spec.encoder_norm, spec, axis_name, num_abreast),
  )


def _abreast(spec, axis_name, compute_dtype) -> pure.Abreast:
  """Training's forward pass with the encoder's entry on all views abreast."""
  architecture = resnet.ARCHITECTURES[spec.encoder]
  narrowest = architecture.stem_channels * spec.width_multiplier
  by_moments = architecture.bottleneck and compute_dtype == "bfloat16"

  def fits(images):
    # Layer and group norm would mix the views' channels.
    apart = spec.encoder_norm == "batch"
    return apart and abreast.fit(narrowest, *images.shape[:2], by_moments)

  def entry(images):
    count = len(images)
    images = standardize(images, spec).astype(compute_dtype)
    with (
      norms.standardized_weights(spec.weight_standardization),
      abreast.weights(count),
    ):
      x = _encoder(spec, axis_name, count).entry(abreast.join(images), True)
    return abreast.part(x, count)

  def rest(x):
    with norms.standardized_weights(spec.weight_standardization):
      encoded = _encoder(spec, axis_name).rest(x, True)
    return _heads(spec, axis_name, encoded, True)

  return pure.Abreast(fits, entry, rest)


def _projector(spec, axis_name):
  return mlp.MLP(
    (*spec.projector_hidden, spec.projection_dim),
    norm_maker(spec.projector_norm, spec, axis_name),
    spec.head_bias,
    spec.projector_output_norm,
    "projector",
  )


def _predictor(spec, axis_name):
  return mlp.MLP(
    (*spec.predictor_hidden, spec.projection_dim),
    norm_maker(spec.predictor_norm, spec, axis_name),
    spec.head_bias,
    False,
    "predictor",
  )


def norm_maker(
  kind: str, spec: Spec | EncoderSpec, axis_name: str, num_abreast: int = 1
) -> norms.MakeNorm:
  """A norm of one kind with a network's settings.

  Args:
    kind: as `Spec.encoder_norm`.
    spec: of which the settings of norms are used.
    axis_name: mapped axis over which batch statistics are averaged.
    num_abreast: views whose channels lie side by side.
  """
  settings = norms.Settings(
    spec.norm_groups, spec.norm_decay, spec.norm_epsilon, axis_name, num_abreast
  )
  return norms.maker(kind, settings)


def standardize(images: chex.Array, spec: Spec | EncoderSpec) -> chex.Array:
  """Brings [..., 3] images in [0, 1] to about mean 0 and variance 1."""
  shape = (1,) * (images.ndim - 1) + (3,)
  mean, std = (
    jnp.reshape(jnp.array(x), shape) for x in (spec.mean_rgb, spec.std_rgb)
  )
  return (images - mean) / std
