"""BYOL (Bootstrap Your Own Latent, arXiv 2006.07733) in JAX and Haiku."""
