"""Writes the features of pictures as a program that needs JAX alone.

python -m byol_jax.convert stablehlo runs/mine features.stablehlo

The file holds StableHLO and the weights; `jax.export.deserialize` reads it
(docs/interoperability.md).
"""

import argparse

import jax
from jax import export

from byol_jax import encoders, encoding, intact, platforms
from byol_jax.interop import output

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
DTYPES = ("uint8", "float32")


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Adds what the command takes."""
  parser.add_argument("encoder", help="workdir of a run, or a checkpoint")
  parser.add_argument("out", help="file to write, .stablehlo")
  parser.add_argument(
    "--image_px",
    type=int,
    default=0,
    help="side of the pictures; 0 for the encoder's own",
  )
  parser.add_argument(
    "--dtype",
    choices=DTYPES,
    default=DTYPES[0],
    help="of the pictures: uint8 in [0, 255] or float32 in [0, 1]",
  )


def run(arguments: argparse.Namespace) -> str:
  """Writes the file.

  Args:
    arguments: `encoder`, `out`, `image_px` and `dtype`.

  Returns:
    A line that says what was written.

  Raises:
    ValueError: there is no such encoder, or an argument is wrong.
    OSError: the file cannot be written.
  """
  if arguments.image_px:
    encoding.check_side(arguments.image_px)
  output.check(arguments.out, ".stablehlo")
  encoder = encoders.open_encoder(arguments.encoder)
  px = arguments.image_px or encoder.image_px
  program = features(encoder, px, arguments.dtype)
  intact.write_whole(program.serialize(), arguments.out)
  return (
    f"Wrote {arguments.out}: {arguments.dtype} pictures [n, {px}, {px}, 3] to"
    f" {program.out_avals[0].shape[1]} features, for {', '.join(PLATFORMS)}."
  )


def features(
  encoder: encoders.Encoder, image_px: int, dtype: str
) -> export.Exported:
  """The program of `encoders.load_encoder`, for any number of pictures.

  Args:
    encoder: of an earlier run; its weights become constants of the program.
    image_px: side of the pictures.
    dtype: "uint8" for pictures in [0, 255], "float32" for those in [0, 1].

  Returns:
    A program for all `PLATFORMS`, of pictures [n, image_px, image_px, 3] to
    [n, channels] float32.
  """
  (count,) = export.symbolic_shape("n")
  images = jax.ShapeDtypeStruct((count, image_px, image_px, 3), dtype)
  program = jax.jit(encoders.as_function(encoder))
  # No device's own way round: one program is for all of them.
  with platforms.lowering_for("gpu"):
    return export.export(program, platforms=PLATFORMS)(images)
