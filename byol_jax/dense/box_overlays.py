"""Pictures with boxes drawn on them: as it is, the truth and the detections."""

import colorsys
import io
from collections.abc import Sequence

import numpy as np
from etils import epath
from PIL import Image, ImageDraw

from byol_jax import intact
from byol_jax.dense import detected

# Detections that are less certain are not drawn.
_LOWEST_SCORE = 0.3
_GAP_PX = 4
# Turns of the colour circle from one class to the next: neighbours differ.
_TURN = 0.381966


def write(
  image: np.ndarray,
  seen: detected.Picture,
  class_names: Sequence[str],
  path: str,
) -> None:
  """Writes picture, objects and detections side by side, whole or not at all.

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
  panels = (
    Image.fromarray(image),
    _drawn(image, [(box, c, class_names[c]) for box, c in there]),
    _drawn(
      image,
      [(box, c, f"{class_names[c]} {score:.2f}") for box, c, score in detected],
    ),
  )
  height, width = image.shape[:2]
  step = width + _GAP_PX
  sheet = Image.new("RGB", (step * len(panels) - _GAP_PX, height), "white")
  for place, panel in enumerate(panels):
    sheet.paste(panel, (place * step, 0))
  encoded = io.BytesIO()
  sheet.save(encoded, "PNG")
  epath.Path(path).parent.mkdir(parents=True, exist_ok=True)
  intact.write_whole(encoded.getvalue(), path)


def _drawn(
  image: np.ndarray, labelled: Sequence[tuple[np.ndarray, int, str]]
) -> Image.Image:
  """A copy with boxes in the colours of their classes."""
  panel = Image.fromarray(image)
  pen = ImageDraw.Draw(panel)
  for (top, left, bottom, right), number, text in labelled:
    colour = _colour(int(number))
    edges = (left, top, max(left, right - 1), max(top, bottom - 1))
    pen.rectangle([float(x) for x in edges], outline=colour)
    corner = (float(left) + 2, float(top))
    pen.rectangle(pen.textbbox(corner, text), fill=colour)
    pen.text(corner, text, fill="black")
  return panel


def _colour(number: int) -> tuple[int, int, int]:
  share = colorsys.hsv_to_rgb((number * _TURN) % 1.0, 0.6, 1.0)
  return tuple(round(255 * x) for x in share)
