"""Writes the features of any pictures.

python -m byol_jax.extract --encoder=runs/r50 --images=pictures \
  --out=features.npz

`--images` is a folder or a tar. One row a picture, sorted by name, goes into an
.npz or .parquet (`evaluation/export.py` says what they hold). One process uses
all devices of its machine.
"""

import signal

if __name__ == "__main__":
  # The imports take seconds: Ctrl-C ends them without a traceback.
  signal.signal(signal.SIGINT, signal.SIG_DFL)

from collections.abc import Sequence

from absl import app, flags

from byol_jax import (
  compiler,
  encoders,
  encoding,
  encoding_command,
  stopping,
)
from byol_jax.data import sources
from byol_jax.evaluation import export

_REQUIRED = {
  "encoder": "runs/cpu",
  "images": "pictures",
  "out": "features.npz",
}


def parse_flags(
  argv: Sequence[str], values: flags.FlagValues = flags.FLAGS
) -> list[str]:
  """As `encoding.parse_flags`, with the flags of this command."""
  return encoding.parse_flags(argv, values, _define_flags, _REQUIRED)


def main(argv: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> None:
  """Opens encoder and pictures, then writes their features."""
  del argv
  encoding_command.main(values, check, run)


def check(values: flags.FlagValues) -> None:
  """Refuses what would only fail after the pictures have been opened.

  Args:
    values: the parsed flags.

  Raises:
    ValueError: the file cannot be written, or as `encoding.check`.
  """
  try:
    export.check_path(values.out)
  except OSError as error:
    raise ValueError(
      f"--out={values.out} cannot be written: {error.strerror}."
    ) from error
  encoding.check(values)


def run(
  values: flags.FlagValues,
  encoder: encoders.Encoder,
  source: sources.EncodedSource,
) -> str:
  """Encodes pictures and writes their features.

  Args:
    values: the parsed flags.
    encoder: of an earlier run.
    source: the pictures.

  Returns:
    What was written, as a sentence.

  Raises:
    ValueError: a picture cannot be decoded.
    OSError: the file cannot be written.
  """
  chunks = encoding.encode(values, encoder, source)
  rows = export.Rows(
    names=encoding.names(source, values.images),
    labels=source.labels,
    class_names=source.class_names,
  )
  stopping.hold()  # What is half written is to be removed.
  dim = export.write(values.out, rows, chunks)
  return f"Wrote {values.out}: {source.num_images} pictures, {dim} features."


def _define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string(
    "out",
    "features.npz",
    "File to write, .npz or .parquet.",
    flag_values=values,
  )


if __name__ == "__main__":
  compiler.prepare()
  app.run(main, flags_parser=parse_flags)
