"""Spectrum and curves, drawn for a page or for paper."""

import io
import re
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib import axes, figure

from byol_jax.inspection import colours, history, spectrum

# Stands for the text's colour, which a page may change, and for nothing else.
_INK = "#010203"
# Values below this share of the largest are what rounding leaves of zero.
_FLOOR = 1e-7


def style(ink: str = "black") -> Mapping[str, Any]:
  """Matplotlib's settings, on a background without colour.

  Args:
    ink: of text and lines.
  """
  inks = ("text.color", "axes.labelcolor", "axes.edgecolor")
  return {
    "font.size": 9.0,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#8888884d",
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "byol",
    **dict.fromkeys((*inks, "xtick.color", "ytick.color"), ink),
  }


def draw_spectrum(panel: axes.Axes, found: spectrum.Spectrum) -> None:
  """Singular values on a logarithmic axis, and where the rank lies."""
  values = found.values / max(found.values.max(), np.finfo(float).tiny)
  panel.plot(
    np.arange(1, len(values) + 1),
    np.maximum(values, _FLOOR),
    color=colours.of_classes(1)[0],
  )
  panel.set_yscale("log")
  panel.set_xlabel("direction, the strongest first")
  panel.set_ylabel("singular value / largest")
  panel.axvline(
    max(found.effective_rank, 1.0),
    color=colours.of_classes(2)[1],
    linestyle="--",
    label=f"effective rank {found.effective_rank:.1f}",
  )
  panel.legend(loc="lower left")


def draw_curves(panel: axes.Axes, shown: history.Panel) -> None:
  """The curves of one panel over the steps."""
  palette = colours.of_classes(10)
  for at, curve in enumerate(shown.curves):
    panel.plot(
      curve.steps,
      curve.values,
      "." if len(curve.steps) == 1 else "-",
      color=palette[at % len(palette)],
      # A leading underscore would hide it.
      label=plain(curve.name).lstrip("_"),
    )
  panel.set_title(shown.title)
  panel.set_xlabel("step")
  if len(shown.curves) > 1:
    panel.legend(loc="best")
  else:
    panel.set_ylabel(plain(shown.curves[0].name))


def plain(text: str) -> str:
  """A text in which Matplotlib sees no formula."""
  return text.replace("$", r"\$")


def svg(drawn: figure.Figure, name: str) -> str:
  """A figure as an element of a page.

  Args:
    drawn: in the style of `inked`.
    name: before the identifiers, which are unique on the page then.
  """
  file = io.StringIO()
  with matplotlib.rc_context(inked()):
    drawn.savefig(
      file,
      format="svg",
      metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
    )
  text = file.getvalue()
  text = text[text.index("<svg") :].replace(_INK, "currentColor")
  text = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", text)
  # The page decides how large it is.
  return re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*"', r"\1", text, count=2)


def inked() -> Mapping[str, Any]:
  """The style of figures that `svg` is given."""
  return style(_INK)
