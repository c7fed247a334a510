"""Pictures of what a network says, beside the picture and the truth."""

import colorsys
import io
import math
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from etils import epath

from byol_jax import intact

# A hundredth of an inch is a pixel.
_DPI, _PANEL_INCHES = 100, 3.4
# Of a mask, through which the picture shines.
_OPACITY = 0.7
_VOID = (0.0, 0.0, 0.0)
# What a legend's colours lie on, as a mask's lie on a picture.
_MIDDLE_GREY = 0.5
# Of the hues after matplotlib's: yellow, which those lack, in two brightnesses.
_FIRST_HUE, _BRIGHTNESSES = 1 / 6, (1.0, 0.6)


class Panel(NamedTuple):
  """One picture of several in a row.

  Attributes:
    title: above it.
    image: [height, width, 3], uint8 or float in [0, 1].
  """

  title: str
  image: np.ndarray


def write(
  panels: Sequence[Panel], legend: Sequence[tuple[str, tuple]], path: str
) -> None:
  """Writes pictures side by side, whole or not at all.

  Args:
    panels: from left to right.
    legend: names and colours, below; () for none.
    path: of the PNG file; its folder is made.
  """
  # Only here: every start of every program would wait for it.
  from matplotlib import figure, patches

  height, width = panels[0].image.shape[:2]
  rows = _PANEL_INCHES * height / width + 0.4 + 0.3 * bool(legend)
  made = figure.Figure((_PANEL_INCHES * len(panels), rows), dpi=_DPI)
  made.set_layout_engine("constrained")
  for axes, panel in zip(
    np.atleast_1d(made.subplots(1, len(panels))), panels, strict=True
  ):
    axes.imshow(panel.image, interpolation="nearest")
    axes.set_title(panel.title, fontsize=9)
    axes.set_axis_off()
  if legend:
    made.legend(
      handles=[patches.Patch(color=x, label=name) for name, x in legend],
      loc="outside lower center",
      ncols=min(len(legend), 3 * len(panels)),
      fontsize=7,
      frameon=False,
    )
  encoded = io.BytesIO()
  made.savefig(encoded, format="png")
  epath.Path(path).parent.mkdir(parents=True, exist_ok=True)
  intact.write_whole(encoded.getvalue(), path)


def file_name(position: int, name: str) -> str:
  """A file for a test picture: its number and its name.

  Args:
    position: in the test part.
    name: of the picture, a path.
  """
  return f"{position:03d}_{pathlib.PurePosixPath(name).stem}.png"


def palette(num_classes: int) -> np.ndarray:
  """A colour for each class, [num_classes, 3] float in [0, 1].

  They differ, also among 256, though of so many neighbours look alike.
  """
  import matplotlib  # As in `write`.

  named = matplotlib.colormaps["tab20"].colors
  first = [*named[0::2], *named[1::2]]  # Strong ones first.
  rest = max(num_classes - len(first), 0)
  count = math.ceil(rest / len(_BRIGHTNESSES))
  hues = _FIRST_HUE + np.arange(count) / max(count, 1)
  more = [
    colorsys.hsv_to_rgb(hue % 1.0, 1.0, brightness)
    for brightness in _BRIGHTNESSES
    for hue in hues
  ]
  return np.array([*first, *more][:num_classes])


def legend(
  masks: Sequence[np.ndarray], class_names: Sequence[str]
) -> list[tuple[str, tuple]]:
  """Names and colours of what is in masks, as `painted` shows them on grey.

  Args:
    masks: of one size, integers; what is no class is void.
    class_names: of all classes.
  """
  names = [*class_names, "void"]
  seen = np.unique(np.minimum(np.stack(masks), len(class_names)))
  colours = _mixed(_colours(len(class_names)), _MIDDLE_GREY)
  return [(names[i], tuple(colours[i])) for i in seen]


def painted(
  image: np.ndarray, mask: np.ndarray, num_classes: int
) -> np.ndarray:
  """A picture under the colours of a mask.

  Args:
    image: [height, width, 3] uint8.
    mask: [height, width] integers; what is no class is black.
    num_classes: of the palette.

  Returns:
    [height, width, 3] float in [0, 1].
  """
  flat = _colours(num_classes)[np.minimum(mask, num_classes)]
  return _mixed(flat, image.mean(axis=2, keepdims=True) / 255.0)


def _colours(num_classes: int) -> np.ndarray:
  """Of the classes and, the last one, of void."""
  return np.vstack([palette(num_classes), _VOID])


def _mixed(colours: np.ndarray, grey: np.ndarray | float) -> np.ndarray:
  return _OPACITY * colours + (1.0 - _OPACITY) * grey
