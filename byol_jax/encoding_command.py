"""From a command's flags to encoder and pictures, and its work with both."""

from collections.abc import Callable

from absl import flags

from byol_jax import encoders, encoding, exits, records, stopping
from byol_jax.data import folder, sources

_Check = Callable[[flags.FlagValues], None]
_Run = Callable[
  [flags.FlagValues, encoders.Encoder, sources.EncodedSource], str
]


def main(
  values: flags.FlagValues, check: _Check, run: _Run, fewest: int = 1
) -> None:
  """Opens encoder and pictures, works, and prints the sentence that it gets.

  Args:
    values: the parsed flags.
    check: refuses flags by a ValueError before anything is opened.
    run: does the work; a ValueError or OSError says why it cannot go on.
    fewest: pictures that it needs.

  Raises:
    SystemExit: after one line on the standard error.
  """
  records.log_plainly()
  farewell = f"Stopped; {values.out} is not written."
  stopping.install(farewell)
  try:
    encoder, source = _open(values, check, fewest)
    _work(values, run, encoder, source)
  except stopping.StoppedError as error:
    exits.release(error)
    exits.end(exits.STOPPED, farewell)


def _open(
  values: flags.FlagValues, check: _Check, fewest: int
) -> tuple[encoders.Encoder, sources.EncodedSource]:
  try:
    check(values)
    encoder = encoders.open_encoder(values.encoder)
    source = folder.open_pictures(
      values.images, values.prefix, values.labelled, values.corrupt
    )
    if source.num_images < fewest:
      raise ValueError(
        f"--images={values.images} has {source.num_images} pictures, and"
        f" only {fewest} or more can be compared."
      )
  except ValueError as error:
    exits.refuse(encoding.in_flags(str(error)))
  return encoder, source


def _work(
  values: flags.FlagValues,
  run: _Run,
  encoder: encoders.Encoder,
  source: sources.EncodedSource,
) -> None:
  try:
    done = run(values, encoder, source)
  except (ValueError, OSError) as error:
    exits.end(exits.FAILED, encoding.in_flags(str(error)))
  finally:
    stopping.let_go()
  print(done)
