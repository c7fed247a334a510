"""Pictures with boxes drawn on them: as it is, the truth and the detections."""

import colorsys
import io
from collections.abc import Mapping, Sequence

import numpy as np
from etils import epath
from PIL import Image, ImageDraw, ImageFont

from byol_jax import intact
from byol_jax.dense import detected

# Detections that are less certain are not drawn.
_LOWEST_SCORE = 0.3
_GAP_PX = 4
# Of a picture's shorter side: a line is one pixel of so many, a letter too.
_LINE_SHARE, _TEXT_SHARE = 1 / 200, 1 / 25
_SMALLEST_TEXT_PX = 12
# Turns of the colour circle from one class to the next: neighbours differ.
_TURN = 0.381966


def write(
  image: np.ndarray,
  seen: detected.Picture,
  class_names: Sequence[str],
  path: str,
) -> None:
  """Writes picture, objects and detections side by side, whole or not at all.

  Each below its title, which says so where nothing is detected.

  Args:
    image: [height, width, 3] uint8.
    seen: what there is, difficult objects too, and what is detected, but for
      scores below 0.3.
    class_names: of all classes.
    path: of the PNG file; its folder is made.
  """
  found, truth = seen.found, seen.truth
  sure = found.scores >= _LOWEST_SCORE
  there = zip(truth.boxes, truth.classes, strict=True)
  detected = zip(
    found.boxes[sure], found.classes[sure], found.scores[sure], strict=True
  )
  missing = "" if sure.any() else ": none"
  panels = {
    "picture": (),
    "truth": [(box, c, class_names[c]) for box, c in there],
    f"detections (score above {_LOWEST_SCORE}){missing}": [
      (box, c, f"{class_names[c]} {score:.2f}") for box, c, score in detected
    ],
  }
  encoded = io.BytesIO()
  _sheet(image, panels).save(encoded, "PNG")
  epath.Path(path).parent.mkdir(parents=True, exist_ok=True)
  intact.write_whole(encoded.getvalue(), path)


def _sheet(
  image: np.ndarray, panels: Mapping[str, Sequence[tuple]]
) -> Image.Image:
  """Copies side by side, each with its boxes and below its title."""
  font = _font(image)
  boxes = [font.getbbox(title) for title in panels]
  above = round(max(box[3] for box in boxes)) + 2 * _GAP_PX
  height, width = image.shape[:2]
  # A small picture is narrower than its title.
  step = max(width, *(round(box[2]) for box in boxes)) + _GAP_PX
  size = (step * len(panels) - _GAP_PX, height + above)
  sheet = Image.new("RGB", size, "white")
  pen = ImageDraw.Draw(sheet)
  for place, (title, labelled) in enumerate(panels.items()):
    pen.text((place * step, _GAP_PX), title, fill="black", font=font)
    sheet.paste(_drawn(image, labelled), (place * step, above))
  return sheet


def _drawn(
  image: np.ndarray, labelled: Sequence[tuple[np.ndarray, int, str]]
) -> Image.Image:
  """A copy with boxes in the colours of their classes."""
  panel = Image.fromarray(image)
  pen, font = ImageDraw.Draw(panel), _font(image)
  thick = max(1, round(min(image.shape[:2]) * _LINE_SHARE))
  for (top, left, bottom, right), number, text in labelled:
    colour = _colour(int(number))
    edges = (left, top, max(left, right - 1), max(top, bottom - 1))
    pen.rectangle([float(x) for x in edges], outline=colour, width=thick)
    corner = (float(left) + thick + 1, float(top))
    pen.rectangle(pen.textbbox(corner, text, font=font), fill=colour)
    pen.text(corner, text, fill="black", font=font)
  return panel


def _font(image: np.ndarray) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
  side = min(image.shape[:2])
  return ImageFont.load_default(max(_SMALLEST_TEXT_PX, side * _TEXT_SHARE))


def _colour(number: int) -> tuple[int, int, int]:
  share = colorsys.hsv_to_rgb((number * _TURN) % 1.0, 0.6, 1.0)
  return tuple(round(255 * x) for x in share)
