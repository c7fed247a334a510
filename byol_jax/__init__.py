"""BYOL (Bootstrap Your Own Latent, arXiv 2006.07733) in JAX and Haiku."""

from collections.abc import Callable


def load_encoder(path: str) -> Callable:
  """Loads the encoder of a run; see `byol_jax.encoders.load_encoder`."""
  # The modules of this package are imported on their own, too, and this one
  # takes seconds: only those who load something wait.
  from byol_jax import encoders

  return encoders.load_encoder(path)
