"""Projector and predictor."""

import chex
import haiku as hk
import jax

from byol_jax.networks import resnet


class MLP(hk.Module):
  """Linear layers with a norm and a ReLU after each hidden one.

  Source: paper, "Architecture". The last layer is bare: no norm, no ReLU and,
  as in the released code, no bias.
  """

  def __init__(
    self,
    hidden_sizes: tuple[int, ...],
    output_size: int,
    make_norm: resnet.MakeNorm,
    name: str,
  ):
    """Builds the head.

    Args:
      hidden_sizes: widths of the hidden layers; () for one linear layer.
      output_size: width of the output.
      make_norm: from module name and zero start of the scale.
      name: module name, "projector" or "predictor".
    """
    super().__init__(name=name)
    self._hidden_sizes = hidden_sizes
    self._output_size = output_size
    self._make_norm = make_norm

  def __call__(self, x: chex.Array, is_training: bool) -> chex.Array:
    """Maps [batch, in] to [batch, output_size]."""
    for size in self._hidden_sizes:
      x = hk.Linear(size)(x)
      x = jax.nn.relu(self._make_norm("batch_norm", False)(x, is_training))
    return hk.Linear(self._output_size, with_bias=False)(x)
