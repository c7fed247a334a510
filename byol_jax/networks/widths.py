"""Which numbers of channels a network has, known before it is built."""

from byol_jax.networks import network, resnet


def of_group_norms(
  spec: network.Spec | network.EncoderSpec,
) -> tuple[int, ...]:
  """The numbers of channels that `norm_groups` has to divide.

  Args:
    spec: shape of a network or of an encoder alone.

  Returns:
    In rising order, without repetition; () where no norm is a group norm.
  """
  found = set()
  if spec.encoder_norm == "group":
    architecture = resnet.ARCHITECTURES[spec.encoder]
    found |= of_encoder(architecture, spec.width_multiplier)
  if isinstance(spec, network.Spec):
    found |= of_heads(spec)
  return tuple(sorted(found))


def of_heads(spec: network.Spec) -> set[int]:
  """The widths of group norms in the heads, which have no positions."""
  found = set()
  if spec.projector_norm == "group":
    found |= set(spec.projector_hidden)
    found |= {spec.projection_dim} if spec.projector_output_norm else set()
  if spec.predictor == "mlp" and spec.predictor_norm == "group":
    found |= set(spec.predictor_hidden)
  return found


def of_encoder(
  architecture: resnet.Architecture, width_multiplier: int
) -> set[int]:
  """The numbers of channels that norms see.

  Args:
    architecture: one of `resnet.ARCHITECTURES`.
    width_multiplier: factor on all channels.
  """
  channels = {architecture.stem_channels, *architecture.channels}
  if architecture.bottleneck:
    channels |= {
      size // resnet.BOTTLENECK_FACTOR for size in architecture.channels
    }
  return {size * width_multiplier for size in channels}
