"""Pictures that commands are given by flags, and their features."""

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tqdm
from absl import flags

from byol_jax import encoders, exits, parallel, records, schema
from byol_jax.data import folder, sources
from byol_jax.evaluation import features
from byol_jax.networks import network

_SECS_BETWEEN_LINES = 30.0


def parse_flags(
  argv: Sequence[str],
  values: flags.FlagValues,
  define: Callable[[flags.FlagValues], None],
  required: Mapping[str, str],
) -> list[str]:
  """Defines the flags and parses them, or says in one line what is wrong.

  Args:
    argv: the program and its arguments.
    values: where the flags are put.
    define: adds the command's flags to those of encoder and pictures.
    required: an example of each flag that may not be empty.

  Returns:
    The program's name.

  Raises:
    SystemExit: with code 2, after one line on the standard error.
  """
  _define_picture_flags(values)
  define(values)
  try:
    rest = values(argv)
  except flags.Error as error:
    exits.refuse(str(error))
  if rest[1:]:
    exits.refuse(f"{rest[1]!r} is not a flag; flags begin with --.")
  for name, example in required.items():
    if not values[name].value:
      exits.refuse(f"--{name} is missing, for example --{name}={example}.")
  return rest


def check(values: flags.FlagValues) -> None:
  """Refuses flags of the pictures that do not fit.

  Args:
    values: the parsed flags.

  Raises:
    ValueError: the batch cannot be shared, or size or geometry is impossible.
  """
  if values.image_px:
    check_side(values.image_px)
  count = parallel.num_devices()
  if values.batch_size % count:
    raise ValueError(
      f"--batch_size={values.batch_size} cannot be shared equally by"
      f" {count} devices."
    )
  sources.resizes_first(_geometry(values))


def check_side(image_px: int) -> None:
  """Refuses a side of pictures that no config may have either.

  Args:
    image_px: of a flag.

  Raises:
    ValueError: it is too small or too large.
  """
  rule = schema.RULES["data.image_px"]
  if not rule.holds(image_px):
    raise ValueError(f"--image_px={image_px} must be {rule.allowed}.")


def encode(
  values: flags.FlagValues,
  encoder: encoders.Encoder,
  source: sources.EncodedSource,
) -> Iterator[np.ndarray]:
  """Features of pictures in order, as they come; says how far it is.

  Args:
    values: the parsed flags.
    encoder: of an earlier run.
    source: the pictures.

  Returns:
    Parts of the rows, [some, dim] float32.

  Raises:
    ValueError: a picture cannot be decoded.
    StoppedError: somebody wants the program to end.
  """
  # Imports TensorFlow: nobody should wait for it to be told of a wrong flag.
  from byol_jax.data import pipeline

  batches = pipeline.eval_batches(
    source,
    values.image_px or encoder.image_px,
    sources.Reader(0, values.batch_size, host=0, num_hosts=1),
    _geometry(values),
  )
  net = features.make_encode(network.make_encoder(encoder.spec, parallel.AXIS))
  variables = parallel.replicate(encoder.variables)
  chunks = (
    features.extract(net, variables, iter((batch,))).representation
    for batch in batches
  )
  return _shown(chunks, source.num_images)


def names(source: sources.EncodedSource, path: str) -> list[str]:
  """Names of pictures: paths below the folder or within the archive.

  Args:
    source: the pictures.
    path: of the folder or archive.
  """
  # As the source joins them.
  root = path if path.endswith("/") else f"{path}/"
  return [
    source.name(position).removeprefix(root)
    for position in range(source.num_images)
  ]


def in_flags(sentence: str) -> str:
  """A sentence about a config's data settings, as the flags they are here."""
  return re.sub(r"\bdata\.(train_)?(\w+)", r"--\2", sentence)


def _shown(chunks: Iterator[np.ndarray], total: int) -> Iterator[np.ndarray]:
  """Passes chunks on and says how far they are: a bar, or lines in a log."""
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


def _define_picture_flags(values: flags.FlagValues) -> None:
  here = {"flag_values": values}
  flags.DEFINE_string(
    "encoder", None, "Workdir of a run, or one of its checkpoints.", **here
  )
  flags.DEFINE_string("images", None, "Folder or tar of pictures.", **here)
  flags.DEFINE_string(
    "prefix", "", "Only what lies below this folder of --images.", **here
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
