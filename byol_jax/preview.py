"""Shows what the network sees, as one picture.

python -m byol_jax.preview --config=configs/cpu.py --out=preview.png

Each row is a training picture as evaluation shows it to the network, then
several draws of view 1 and of view 2, made by the code that trains.
"""

import signal

if __name__ == "__main__":
  # There is nothing to save: Ctrl-C ends it without a traceback.
  signal.signal(signal.SIGINT, signal.SIG_DFL)

import textwrap
from collections.abc import Sequence

from absl import app, flags
from matplotlib import figure

from byol_jax import compiler, exits, grids, inputs, records
from byol_jax import config as config_lib
from byol_jax import main as main_lib
from byol_jax.interop import output

# In pixels.
_HEADING, _NAMES = 28, 112
_DPI = 100
_NAME_LETTERS = 15


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
    _check_path(values.out)
    grid = grids.draw(
      inputs.open_inputs(values.config),
      values.config.seed,
      values.num_images,
      values.num_draws,
    )
  except ValueError as error:
    exits.refuse(str(error))
  try:
    save(grid, values.out)
  except OSError as error:
    exits.refuse(f"--out={values.out} is not written: {error.strerror}.")
  print(f"Wrote {values.out}.")


def save(grid: grids.Grid, path: str) -> None:
  """Writes a PNG: the mosaic with headings, and class names if there are any.

  Raises:
    OSError: the file cannot be written.
  """
  sheet = grids.mosaic(grid)
  height, width, _ = sheet.shape
  left = _NAMES if grid.names else grids.GAP
  size = left + width + grids.GAP, _HEADING + height + grids.GAP
  page = figure.Figure(figsize=[side / _DPI for side in size], dpi=_DPI)
  box = (left / size[0], grids.GAP / size[1], width / size[0], height / size[1])
  axes = page.add_axes(box, frameon=False, xticks=[], yticks=[])
  axes.imshow(sheet, interpolation="nearest", aspect="auto")
  _write_headings(axes, grid)
  for number, name in enumerate(grid.names):
    middle = (number + 0.5) * (height + grids.GAP) / len(grid.names)
    text = textwrap.fill(name.replace("_", " "), _NAME_LETTERS)
    axes.text(-8, middle, text, ha="right", va="center", fontsize=8)
  page.savefig(path, format="png")


def _check_path(path: str) -> None:
  """Refuses a file of another kind, or one that cannot be written."""
  try:
    output.check(path, ".png")
  except (ValueError, OSError) as error:
    raise ValueError(f"--out={error}") from error


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


def _write_headings(axes, grid: grids.Grid) -> None:
  """Names each group of columns, centred above it."""
  counts = (1, grid.view1.shape[1], grid.view2.shape[1])
  widths = [
    grids.block(grid.originals[:1].repeat(count, axis=0)).shape[1]
    for count in counts
  ]
  start = 0
  for text, width in zip(("original", "view 1", "view 2"), widths, strict=True):
    axes.text(start + width / 2, -8, text, ha="center", va="bottom")
    start += width + grids.WIDE_GAP


if __name__ == "__main__":
  compiler.prepare()
  app.run(main, flags_parser=parse_flags)
