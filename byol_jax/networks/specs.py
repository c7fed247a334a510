"""What shapes a network or an encoder alone."""

from typing import NamedTuple


class Spec(NamedTuple):
  """Everything that shapes the parameters, as plain values.

  Attributes:
    encoder: a key of `resnet.ARCHITECTURES`.
    width_multiplier: factor on the encoder's channels.
    stem: "imagenet" or "cifar".
    zero_init_last_scale: start each block's last scale at 0.
    encoder_norm: what follows the encoder's convolutions: "batch", "layer" or
      "group" norm, "none", or "affine", a scale and an offset that the first
      batch sets.
    norm_groups: of group norms.
    weight_standardization: standardise the weights of convolutions and of the
      heads' linear layers.
    projector_hidden: widths of the projector's hidden layers.
    predictor_hidden: widths of the predictor's hidden layers.
    projection_dim: width of projection and prediction.
    projector_norm: after the projector's hidden layers, as `encoder_norm`.
    predictor_norm: after the predictor's hidden layers.
    projector_output_norm: also after the projector's last layer.
    head_bias: whether the heads' last layers have a bias.
    predictor: "mlp", or "none" or "least_squares", which have no parameters:
      the prediction is then the projection.
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
  encoder_norm: str
  norm_groups: int
  weight_standardization: bool
  projector_hidden: tuple[int, ...]
  predictor_hidden: tuple[int, ...]
  projection_dim: int
  projector_norm: str
  predictor_norm: str
  projector_output_norm: bool
  head_bias: bool
  predictor: str
  num_classes: int
  norm_decay: float
  norm_epsilon: float
  mean_rgb: tuple[float, float, float]
  std_rgb: tuple[float, float, float]


class EncoderSpec(NamedTuple):
  """Everything that shapes an encoder; the attributes are those of `Spec`."""

  encoder: str
  width_multiplier: int
  stem: str
  zero_init_last_scale: bool
  encoder_norm: str
  norm_groups: int
  weight_standardization: bool
  norm_decay: float
  norm_epsilon: float
  mean_rgb: tuple[float, float, float]
  std_rgb: tuple[float, float, float]
