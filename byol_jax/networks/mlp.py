"""Projector and predictor."""

import chex
import haiku as hk
import jax

from byol_jax.networks import norms


class MLP(hk.Module):
  """Linear layers with a norm and a ReLU after each hidden one.

  Source: paper, "Architecture". There the last layer is bare: no norm, no ReLU
  and, as in the released code, no bias.
  """

  def __init__(
    self,
    sizes: tuple[int, ...],
    make_norm: norms.MakeNorm,
    with_bias: bool,
    output_norm: bool,
    name: str,
  ):
    """Builds the head.

    Args:
      sizes: widths of the layers, the output's last.
      make_norm: from module name and zero start of the scale.
      with_bias: whether the last layer has a bias; hidden layers have one.
      output_norm: whether a norm follows the last layer.
      name: module name, "projector" or "predictor".
    """
    super().__init__(name=name)
    self._sizes = sizes
    self._make_norm = make_norm
    self._with_bias = with_bias
    self._output_norm = output_norm

  def __call__(self, x: chex.Array, is_training: bool) -> chex.Array:
    """Maps [batch, in] to [batch, sizes[-1]]."""
    *hidden, last = self._sizes
    for size in hidden:
      x = hk.Linear(size)(x)
      x = jax.nn.relu(self._make_norm("batch_norm", False)(x, is_training))
    x = hk.Linear(last, with_bias=self._with_bias)(x)
    if self._output_norm:
      x = self._make_norm("batch_norm", False)(x, is_training)
    return x
