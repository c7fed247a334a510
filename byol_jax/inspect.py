"""Shows what an encoder makes of pictures, on one page.

python -m byol_jax.inspect --encoder=runs/r50 --images=pictures \
  --out=inspect.html

`--images` is a folder or a tar; with `--labelled` its folders are classes. The
page needs no network. `--figures=FOLDER` writes PNGs as well, and the run's
TensorBoard gets a projector, unless `--noprojector` is given.
"""

import signal

if __name__ == "__main__":
  # The imports take seconds: Ctrl-C ends them without a traceback.
  signal.signal(signal.SIGINT, signal.SIG_DFL)

import os
import time
from collections.abc import Sequence

import numpy as np
from absl import app, flags

from byol_jax import (
  compiler,
  encoders,
  encoding,
  encoding_command,
  intact,
  origin,
  records,
  stopping,
)
from byol_jax.data import problems, sources
from byol_jax.inspection import (
  figures,
  findings,
  gallery,
  history,
  layout,
  page,
  projector,
)

_REQUIRED = {
  "encoder": "runs/cpu",
  "images": "pictures",
  "out": "inspect.html",
}
# Pictures of a page: 20,000 make one of 50 MB, which browsers open in seconds,
# and a map of minutes; with ten times as many both go beyond use.
_FEWEST, _MOST = 3, 20_000


def parse_flags(
  argv: Sequence[str], values: flags.FlagValues = flags.FLAGS
) -> list[str]:
  """As `encoding.parse_flags`, with the flags of this command."""
  return encoding.parse_flags(argv, values, _define_flags, _REQUIRED)


def main(argv: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> None:
  """Opens encoder and pictures, then writes the page."""
  del argv
  encoding_command.main(values, check, run, _FEWEST)


def check(values: flags.FlagValues) -> None:
  """Refuses what would only fail after the pictures have been encoded.

  Args:
    values: the parsed flags.

  Raises:
    ValueError: something cannot be written, a package is missing, or as
      `encoding.check`.
  """
  encoding.check(values)
  layout.check(values.map)
  if not values.out.endswith((".html", ".htm")):
    raise ValueError(f"--out={values.out} has to end in .html.")
  if os.path.isdir(values.out):
    raise ValueError(f"--out={values.out} is a folder.")
  _try("out", values.out)
  if values.figures:
    _try("figures", values.figures, is_folder=True)


def run(
  values: flags.FlagValues,
  encoder: encoders.Encoder,
  source: sources.EncodedSource,
) -> str:
  """Encodes pictures, looks at them and writes the page.

  Args:
    values: the parsed flags.
    encoder: of an earlier run.
    source: the pictures, 3 or more.

  Returns:
    What was written, as a sentence.

  Raises:
    ValueError: a picture cannot be decoded, or the features are not finite.
    OSError: something cannot be written.
    StoppedError: somebody wants the program to end.
  """
  chosen = gallery.some(source, values.max_images, values.seed)
  shown = gallery.make(chosen, encoding.names(chosen, values.images))
  features = np.concatenate(list(encoding.encode(values, encoder, chosen)))
  records.say(f"Comparing {len(features)} pictures.")
  found = findings.find(
    encoder.name,
    shown,
    features,
    findings.Wishes(
      values.num_queries, values.num_neighbours, values.map, values.seed
    ),
    history.read(values.encoder),
  )
  sizes = source.num_images, features.shape[1]
  found = found._replace(facts=_facts(values, found, encoder, sizes))
  stopping.hold()  # What is half written is to be removed.
  return _write(values, found, features)


def _write(
  values: flags.FlagValues, found: findings.Findings, features: np.ndarray
) -> str:
  """Page, figures and projector; the last may fail without any harm."""
  intact.write_whole(page.page(found), values.out)
  done = f"Wrote {values.out}: {len(features)} pictures"
  if values.figures:
    count = len(figures.save(found, values.figures))
    done += f", and {count} figures in {values.figures}"
  if values.projector:
    place = history.workdir(values.encoder) / "tensorboard"
    try:
      projector.write(place, found.gallery, features)
      done += f"; TensorBoard's projector has them, too ({place})"
    except OSError as error:
      records.say(f"TensorBoard gets no projector: {error}")
  return f"{done}."


def _facts(
  values: flags.FlagValues,
  found: findings.Findings,
  encoder: encoders.Encoder,
  sizes: tuple[int, int],
) -> tuple[tuple[str, str], ...]:
  """What the head of the page says."""
  total, dim = sizes
  count, classes = len(found.gallery.names), found.gallery.class_names
  drawn = f" of {total:,}, drawn at random (seed {values.seed})"
  side = values.image_px or encoder.image_px
  versions = origin.versions()
  code = versions["commit"][:12] or versions["byol_jax"]
  facts = {
    "Pictures": f"{count:,}{drawn if total > count else ''}",
    "From": values.images,
    "Classes": str(len(classes)),
    "Right by neighbours": "",
    "Features": f"{dim:,}",
    "Effective rank": f"{found.spectrum.effective_rank:.1f}",
    "Seen by the network": f"{side} x {side} pixels",
    "Made": f"{time.strftime('%Y-%m-%d', time.gmtime())}, byol_jax {code}",
  }
  if found.confusion:
    facts["Right by neighbours"] = f"{found.confusion.accuracy:.1%}"
  else:
    del facts["Classes"], facts["Right by neighbours"]
  return tuple((name, problems.printable(x)) for name, x in facts.items())


def _try(name: str, path: str, is_folder: bool = False) -> None:
  """Refuses a file or folder that cannot be written."""
  try:
    if is_folder:
      os.makedirs(path, exist_ok=True)
    intact.try_out(os.path.join(path, "trial") if is_folder else path)
  except OSError as error:
    raise ValueError(
      f"--{name}={path} cannot be written: {error.strerror}."
    ) from error


def _define_flags(values: flags.FlagValues) -> None:
  here = {"flag_values": values}
  flags.DEFINE_string("out", "inspect.html", "Page to write.", **here)
  flags.DEFINE_string("figures", "", "Folder for PNGs; none if empty.", **here)
  flags.DEFINE_integer(
    "max_images",
    2000,
    "Of more pictures, so many are drawn.",
    lower_bound=_FEWEST,
    upper_bound=_MOST,
    **here,
  )
  flags.DEFINE_enum("map", "tsne", layout.KINDS, "How it is drawn.", **here)
  flags.DEFINE_integer(
    "num_queries", 16, "Rows of neighbours.", lower_bound=1, **here
  )
  flags.DEFINE_integer("num_neighbours", 8, "In a row.", lower_bound=1, **here)
  flags.DEFINE_integer("seed", 0, "Of all draws.", lower_bound=0, **here)
  flags.DEFINE_bool(
    "projector", True, "Show them in the run's TensorBoard, too.", **here
  )


if __name__ == "__main__":
  compiler.prepare()
  app.run(main, flags_parser=parse_flags)
