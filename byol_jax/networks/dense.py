"""An encoder whose maps a dense task uses, and such networks as functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import haiku as hk
import jax

from byol_jax.networks import network, norms, resnet
from byol_jax.types import Variables


class Modes(NamedTuple):
  """Whether the norms of a part take the batch's statistics, or averages.

  Attributes:
    trunk: of the encoder without its last group.
    last_group: of the encoder.
    head: of all that follows.
  """

  trunk: bool
  last_group: bool
  head: bool


INFERENCE = Modes(trunk=False, last_group=False, head=False)
TRAINING = Modes(trunk=True, last_group=True, head=True)


class Backbone(NamedTuple):
  """The two parts of an encoder; to be called inside a Haiku function.

  Attributes:
    trunk: (images [batch, height, width, 3] in [0, 1], is_training) to the map
      before the last group, [batch, height / stride, width / stride, channels].
    last_group: (such a map or a part of it, is_training) to the last map.
  """

  trunk: Callable[[chex.Array, bool], chex.Array]
  last_group: Callable[[chex.Array, bool], chex.Array]


class Functions(NamedTuple):
  """A network as two pure functions; the mapped axis must be bound.

  Attributes:
    init: (key, inputs) to `Variables`; all norms take the batch's statistics.
    apply: (variables, inputs, modes) to outputs and new stats.
  """

  init: Callable[[chex.PRNGKey, chex.ArrayTree], Variables]
  apply: Callable[[Variables, chex.ArrayTree, Modes], tuple[Any, Any]]


def backbone(
  spec: network.EncoderSpec,
  axis_name: str,
  dilation: int = 1,
  compute_dtype: str = "float32",
) -> Backbone:
  """Builds the encoder under the names that it has in pretraining.

  Args:
    spec: shape of the encoder.
    axis_name: mapped axis over which batch statistics are averaged.
    dilation: above 1, the last group keeps the trunk's resolution.
    compute_dtype: of the maps, "float32" or "bfloat16".
  """
  encoder = resnet.ResNet(
    resnet.ARCHITECTURES[spec.encoder],
    spec.width_multiplier,
    spec.stem,
    spec.zero_init_last_scale,
    network.norm_maker(spec.encoder_norm, spec, axis_name),
    dilation,
  )

  def trunk(images, is_training):
    with norms.standardized_weights(spec.weight_standardization):
      images = network.standardize(images, spec).astype(compute_dtype)
      return encoder.trunk(images, is_training)

  def last_group(x, is_training):
    with norms.standardized_weights(spec.weight_standardization):
      return encoder.last_group(x, is_training)

  return Backbone(trunk, last_group)


def head_norm(spec: network.EncoderSpec, axis_name: str) -> norms.MakeNorm:
  """Batch norm for what follows the encoder, whatever norm that has."""
  return network.norm_maker("batch", spec, axis_name)


def functions(forward: Callable[[Any, Modes], Any]) -> Functions:
  """Makes pure functions of Haiku modules.

  Args:
    forward: of (inputs, modes), calls Haiku modules; the inputs are a tree of
      arrays.
  """
  transformed = hk.transform_with_state(forward)

  # The norms take the statistics of one view, here the only one.
  def one_view(function, inputs):
    wide = jax.tree.map(lambda x: x[None], inputs)
    outputs = jax.vmap(function, axis_name=norms.VIEWS)(wide)
    return jax.tree.map(lambda x: x[0], outputs)

  def init(key, inputs):
    return Variables(
      *one_view(lambda x: transformed.init(key, x, TRAINING), inputs)
    )

  def apply(variables, inputs, modes):
    return one_view(
      lambda x: transformed.apply(*variables, None, x, modes), inputs
    )

  return Functions(init, apply)


def is_encoder(module: str, spec: network.EncoderSpec) -> bool:
  """Whether a module of a dense network belongs to the encoder.

  Args:
    module: name, as Haiku's parameters have it.
    spec: shape of the encoder.
  """
  return module.split("/")[0] == resnet.ARCHITECTURES[spec.encoder].name


def is_last_group(module: str, spec: network.EncoderSpec) -> bool:
  """Whether a module belongs to the encoder's last group."""
  last = len(resnet.ARCHITECTURES[spec.encoder].blocks) - 1
  return is_encoder(module, spec) and f"/block_group_{last}/" in module
