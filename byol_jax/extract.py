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

import re
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np
import tqdm
from absl import app, flags

from byol_jax import (
  compiler,
  encoders,
  exits,
  parallel,
  records,
  stopping,
)
from byol_jax.data import folder, sources
from byol_jax.evaluation import export, features
from byol_jax.networks import network

_REQUIRED = {
  "encoder": "runs/cpu",
  "images": "pictures",
  "out": "features.npz",
}
_SECS_BETWEEN_LINES = 30.0


def parse_flags(
  argv: Sequence[str], values: flags.FlagValues = flags.FLAGS
) -> list[str]:
  """Defines the flags and parses them, or says in one line what is wrong.

  Args:
    argv: the program and its arguments.
    values: where the flags are put.

  Returns:
    The program's name.

  Raises:
    SystemExit: with code 2, after one line on the standard error.
  """
  _define_flags(values)
  try:
    rest = values(argv)
  except flags.Error as error:
    exits.refuse(str(error))
  if rest[1:]:
    exits.refuse(f"{rest[1]!r} is not a flag; flags begin with --.")
  for name, example in _REQUIRED.items():
    if not values[name].value:
      exits.refuse(f"--{name} is missing, for example --{name}={example}.")
  return rest


def main(argv: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> None:
  """Opens encoder and pictures, then writes their features."""
  del argv
  records.log_plainly()
  farewell = f"Stopped; {values.out} is not written."
  stopping.install(farewell)
  try:
    _open_and_run(values)
  except stopping.StoppedError as error:
    exits.release(error)
    exits.end(exits.STOPPED, farewell)


def check(values: flags.FlagValues) -> None:
  """Refuses what would only fail after the pictures have been opened.

  Args:
    values: the parsed flags.

  Raises:
    ValueError: the file cannot be written or the batch not be shared.
  """
  try:
    export.check_path(values.out)
  except OSError as error:
    raise ValueError(
      f"--out={values.out} cannot be written: {error.strerror}."
    ) from error
  count = parallel.num_devices()
  if values.batch_size % count:
    raise ValueError(
      f"--batch_size={values.batch_size} cannot be shared equally by"
      f" {count} devices."
    )
  sources.resizes_first(_geometry(values))


def run(
  values: flags.FlagValues,
  encoder: encoders.Encoder,
  source: sources.EncodedSource,
) -> int:
  """Encodes pictures and writes their features.

  Args:
    values: the parsed flags.
    encoder: of an earlier run.
    source: the pictures.

  Returns:
    How many features a picture has.

  Raises:
    ValueError: a picture cannot be decoded.
    OSError: the file cannot be written.
  """
  # Imports TensorFlow: nobody should wait for it to be told of a wrong flag.
  from byol_jax.data import pipeline

  batches = pipeline.eval_batches(
    source,
    values.image_px or encoder.image_px,
    sources.Reader(0, values.batch_size, host=0, num_hosts=1),
    _geometry(values),
  )
  encode = features.make_encode(
    network.make_encoder(encoder.spec, parallel.AXIS)
  )
  variables = parallel.replicate(encoder.variables)
  chunks = (
    features.extract(encode, variables, iter((batch,))).representation
    for batch in batches
  )
  rows = export.Rows(
    names=_names(source, values.images),
    labels=source.labels,
    class_names=source.class_names,
  )
  return export.write(values.out, rows, _shown(chunks, source.num_images))


def _open_and_run(values: flags.FlagValues) -> None:
  try:
    check(values)
    encoder = encoders.open_encoder(values.encoder)
    source = folder.open_pictures(
      values.images, values.prefix, values.labelled, values.corrupt
    )
  except ValueError as error:
    exits.refuse(_in_flags(str(error)))
  try:
    dim = run(values, encoder, source)
  except (ValueError, OSError) as error:
    exits.end(exits.FAILED, _in_flags(str(error)))
  finally:
    stopping.let_go()
  print(f"Wrote {values.out}: {source.num_images} pictures, {dim} features.")


def _names(source: sources.EncodedSource, path: str) -> list[str]:
  """Paths below the folder or within the archive."""
  # As the source joins them.
  root = path if path.endswith("/") else f"{path}/"
  return [
    source.name(position).removeprefix(root)
    for position in range(source.num_images)
  ]


def _shown(chunks: Iterator[np.ndarray], total: int) -> Iterator[np.ndarray]:
  """Passes chunks on and says how far they are: a bar, or lines in a log."""
  stopping.hold()  # What is half written is to be removed.
  first = next(chunks)
  yield first
  # The first one was compiled.
  count, done, start = 0, len(first), time.monotonic()
  told = start
  is_log = not sys.stderr.isatty()
  with tqdm.tqdm(total=total, unit=" pictures", disable=is_log) as bar:
    bar.update(done)
    for chunk in chunks:
      yield chunk
      count, done, now = count + len(chunk), done + len(chunk), time.monotonic()
      bar.update(len(chunk))
      if is_log and now - told >= _SECS_BETWEEN_LINES:
        told, rate = now, count / (now - start)
        records.say(f"{done}/{total} pictures, {rate:.4g} pictures/s")


def _define_flags(values: flags.FlagValues) -> None:
  here = {"flag_values": values}
  flags.DEFINE_string(
    "encoder", None, "Workdir of a run, or one of its checkpoints.", **here
  )
  flags.DEFINE_string("images", None, "Folder or tar of pictures.", **here)
  flags.DEFINE_string(
    "prefix", "", "Only what lies below this folder of --images.", **here
  )
  flags.DEFINE_string(
    "out", "features.npz", "File to write, .npz or .parquet.", **here
  )
  flags.DEFINE_bool(
    "labelled", False, "Each picture's first folder is its class.", **here
  )
  flags.DEFINE_enum(
    "corrupt", "skip", folder.CORRUPT, "Of incomplete pictures.", **here
  )
  flags.DEFINE_integer(
    "batch_size", 256, "All devices together.", lower_bound=1, **here
  )
  flags.DEFINE_integer(
    "image_px", 0, "Side; 0 for the encoder's own.", lower_bound=0, **here
  )
  flags.DEFINE_enum(
    "geometry",
    "resize_then_crop",
    sources.GEOMETRY_ORDERS,
    "How the middle of a picture is cut out.",
    **here,
  )
  flags.DEFINE_float(
    "crop_share", 0.875, "Of the shorter side, in (0, 1].", **here
  )


def _geometry(values: flags.FlagValues) -> sources.Geometry:
  return sources.Geometry(values.geometry, values.crop_share)


def _in_flags(sentence: str) -> str:
  """A sentence about a config's data settings, which are flags here."""
  return re.sub(r"\bdata\.(train_)?(\w+)", r"--\2", sentence)


if __name__ == "__main__":
  compiler.prepare()
  app.run(main, flags_parser=parse_flags)
