"""`python -m byol_jax` is the command `byol`."""

from byol_jax import cli

if __name__ == "__main__":
  cli.main()
