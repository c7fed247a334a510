"""Shows what the network sees, as one picture.

python -m byol_jax.preview --config=configs/cpu.py --out=preview.png

Each row is a training picture as evaluation shows it to the network, then
several draws of view 1 and of view 2, made by the code that trains.
"""

import signal

if __name__ == "__main__":
  # There is nothing to save: Ctrl-C ends it without a traceback.
  signal.signal(signal.SIGINT, signal.SIG_DFL)

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import ml_collections
import numpy as np
from absl import app, flags
from matplotlib import figure

from byol_jax import compiler, exits, inputs, records
from byol_jax import config as config_lib
from byol_jax import main as main_lib
from byol_jax.augment import views
from byol_jax.data import memory, sources

# All lengths in pixels. Small pictures are magnified to at least so many.
_MIN_CELL = 96
_GAP, _WIDE_GAP = 4, 16
_HEADING, _NAMES = 28, 112
_DPI = 100
_NAME_LETTERS = 15


class Grid(NamedTuple):
  """A few pictures and draws of their views, float32 in [0, 1].

  Attributes:
    names: class of each picture; () when unlabelled.
    originals: [n, image_px, image_px, 3], as in evaluation.
    view1: [n, num_draws, image_px, image_px, 3].
    view2: likewise.
  """

  names: tuple[str, ...]
  originals: np.ndarray
  view1: np.ndarray
  view2: np.ndarray


def parse_flags(
  argv: Sequence[str], values: flags.FlagValues = flags.FLAGS
) -> list[str]:
  """As `main.parse_flags`, with the flags of this command."""
  return main_lib.parse_flags(argv, values, _define_flags)


def main(argv: Sequence[str]) -> None:
  """Checks the config, draws and writes the picture."""
  del argv
  values = flags.FLAGS
  records.log_plainly()
  try:
    if config_lib.is_evaluation(values.config):
      raise ValueError("The preview is for configs that pretrain.")
    # Any number of devices will do for a preview.
    config_lib.validate(values.config, num_devices=1)
    grid = draw(values.config, values.num_images, values.num_draws)
  except ValueError as error:
    exits.refuse(str(error))
  try:
    save(grid, values.out)
  except OSError as error:
    exits.refuse(f"--out={values.out} is not written: {error.strerror}.")
  print(f"Wrote {values.out}.")


def draw(
  config: ml_collections.ConfigDict, num_images: int, num_draws: int
) -> Grid:
  """Draws views of a few training pictures, chosen by the config's seed.

  Args:
    config: a validated config.
    num_images: how many pictures, at most.
    num_draws: of each view of each picture.

  Returns:
    The pictures and their views.

  Raises:
    ValueError: the data is missing, empty or corrupt.
  """
  data = inputs.open_inputs(config)
  source = _few(data.train, num_images, config.seed)
  reader = sources.Reader(config.seed, sources.size(source), 0, 1)
  (shown,) = data.reads.eval_batches(source, data.views.image_px, reader)
  epochs = _epochs(data._replace(train=source), reader)
  draws = list(itertools.islice(epochs, num_draws))
  labels = shown["labels"] if data.num_classes else ()
  return Grid(
    names=tuple(source.class_names[label] for label in labels),
    originals=shown["images"].astype(np.float32) / 255.0,
    view1=np.stack([made["view1"] for made in draws], axis=1),
    view2=np.stack([made["view2"] for made in draws], axis=1),
  )


def mosaic(grid: Grid) -> np.ndarray:
  """Puts all pictures onto one white sheet.

  Args:
    grid: the pictures; small ones are magnified by a whole factor.

  Returns:
    [height, width, 3] uint8: a row for each picture, with the original, the
    draws of view 1 and those of view 2.
  """
  groups = (grid.originals[:, None], grid.view1, grid.view2)
  rows = []
  for number in range(len(grid.originals)):
    blocks = [_block(group[number]) for group in groups]
    rows.append(_joined(blocks, _WIDE_GAP, axis=1))
  return np.rint(255.0 * _joined(rows, _GAP, axis=0)).astype(np.uint8)


def save(grid: Grid, path: str) -> None:
  """Writes a PNG: the mosaic with headings, and class names if there are any.

  Raises:
    OSError: the file cannot be written.
  """
  sheet = mosaic(grid)
  height, width, _ = sheet.shape
  left = _NAMES if grid.names else _GAP
  size = left + width + _GAP, _HEADING + height + _GAP
  page = figure.Figure(figsize=[side / _DPI for side in size], dpi=_DPI)
  box = (left / size[0], _GAP / size[1], width / size[0], height / size[1])
  axes = page.add_axes(box, frameon=False, xticks=[], yticks=[])
  axes.imshow(sheet, interpolation="nearest", aspect="auto")
  _write_headings(axes, grid)
  for number, name in enumerate(grid.names):
    middle = (number + 0.5) * (height + _GAP) / len(grid.names)
    text = textwrap.fill(name.replace("_", " "), _NAME_LETTERS)
    axes.text(-8, middle, text, ha="right", va="center", fontsize=8)
  page.savefig(path, format="png")


def _define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string(
    "out", "preview.png", "PNG file to write.", flag_values=values
  )
  flags.DEFINE_integer(
    "num_images",
    6,
    "Pictures to show.",
    lower_bound=1,
    flag_values=values,
  )
  flags.DEFINE_integer(
    "num_draws",
    4,
    "Draws of each view to show.",
    lower_bound=1,
    flag_values=values,
  )


def _few(source: sources.Source, count: int, seed: int) -> sources.Source:
  """Some pictures that can be read again and again; of a stream the first."""
  count = min(count, sources.size(source))
  if not isinstance(source, sources.StreamSource):
    return inputs.subset(source, count, seed)
  # Imports TensorFlow, which such a source needs anyway.
  from byol_jax.data import tfds_source

  return tfds_source.read_all(
    source._replace(
      num_images=count,
      open=lambda *reader: source.open(None, 0, 1).take(count),
    )
  )


def _epochs(
  data: inputs.Inputs, reader: sources.Reader
) -> Iterator[dict[str, np.ndarray]]:
  """Both views of every picture in order, one training epoch after another.

  The batch is as large as the data set: each epoch is one step, which holds
  each picture once, and every epoch draws anew.
  """
  pair = data.views
  make_views = jax.jit(
    views.view_maker(pair.where, pair.policies, pair.image_px)
  )
  pool = memory.pool(data.train) if data.views.where == "memory" else {}
  key = jax.random.key(reader.seed)
  batches = data.reads.train_batches(data.train, data.views, reader, 0)
  for epoch, batch in enumerate(batches):
    made = make_views({**pool, **batch}, jax.random.fold_in(key, epoch))
    order = np.argsort(batch["index"])
    yield {name: np.asarray(made[name])[order] for name in ("view1", "view2")}


def _block(pictures: np.ndarray) -> np.ndarray:
  """One row of pictures side by side, magnified."""
  factor = -(-_MIN_CELL // pictures.shape[1])
  large = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
  return _joined(list(large), _GAP, axis=1)


def _joined(parts: list[np.ndarray], gap: int, axis: int) -> np.ndarray:
  """Parts one after another with white between them."""
  shape = list(parts[0].shape)
  shape[axis] = gap
  white = np.ones(shape, np.float32)
  spaced = [piece for part in parts for piece in (white, part)][1:]
  return np.concatenate(spaced, axis=axis)


def _write_headings(axes, grid: Grid) -> None:
  """Names each group of columns, centred above it."""
  counts = (1, grid.view1.shape[1], grid.view2.shape[1])
  widths = [
    _block(grid.originals[:1].repeat(count, axis=0)).shape[1]
    for count in counts
  ]
  start = 0
  for text, width in zip(("original", "view 1", "view 2"), widths, strict=True):
    axes.text(start + width / 2, -8, text, ha="center", va="bottom")
    start += width + _WIDE_GAP


if __name__ == "__main__":
  compiler.prepare()
  app.run(main, flags_parser=parse_flags)
