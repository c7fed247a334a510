"""The page's pictures as PNGs, for papers and slides."""

import io
import math
import os
import warnings
from collections.abc import Callable

import matplotlib
import numpy as np
from matplotlib import figure, offsetbox

from byol_jax import intact
from byol_jax.inspection import colours, findings, gallery, plots

_DPI = 200
_WIDTH = 7.0  # Inches.
# A legend of more classes is larger than the map.
_MAX_LEGEND = 20
# Without classes thumbnails tell what lies where: one in each of these cells.
_CELLS = 16
_THUMBNAIL = 22.0  # Points.
_MAX_ROWS = 10
_MAX_NUMBERED = 20
_MAX_NAMED = 60


def save(found: findings.Findings, folder: str) -> list[str]:
  """Writes PNGs: neighbours, map, spectrum, confusion and curves.

  Args:
    found: what is drawn.
    folder: which exists.

  Returns:
    Their names; without classes or record there are fewer.

  Raises:
    OSError: one cannot be written; those before it are whole.
  """
  made: dict[str, Callable] = {
    "neighbours": _neighbours,
    "map": _map,
    "spectrum": _spectrum,
  }
  if found.confusion:
    made["confusion"] = _confusion
  if found.panels:
    made["curves"] = _curves
  look = {**plots.style(), "figure.facecolor": "white"}
  with warnings.catch_warnings(), matplotlib.rc_context(look):
    # Of letters that the font lacks.
    warnings.simplefilter("ignore", UserWarning)
    for name, draw in made.items():
      _write(draw(found), os.path.join(folder, f"{name}.png"))
  return list(made)


def _write(drawn: figure.Figure, path: str) -> None:
  file = io.BytesIO()
  drawn.savefig(file, format="png", dpi=_DPI)
  intact.write_whole(file.getvalue(), path)


def _neighbours(found: findings.Findings) -> figure.Figure:
  queries = found.queries[:_MAX_ROWS]
  columns = found.num_shown + 1
  # A gap between a picture and its neighbours.
  widths = [1.0, 0.15, *[1.0] * found.num_shown]
  side = _WIDTH / sum(widths)
  made = figure.Figure((_WIDTH, 1.2 * side * len(queries)))
  grid = made.subplots(
    len(queries),
    columns + 1,
    squeeze=False,
    gridspec_kw={
      **{"width_ratios": widths, "wspace": 0.06, "hspace": 0.2},
      **{"left": 0.0, "right": 1.0, "bottom": 0.01, "top": 0.97},
    },
  )
  for panel in grid.flat:
    panel.set_axis_off()
  for row, query in zip(grid, queries, strict=True):
    near, cosines = (x[query] for x in found.neighbours)
    _picture(row[0], found, query, "", query)
    for at, panel in enumerate(row[2:]):
      _picture(panel, found, near[at], f"{cosines[at]:.2f}", query)
  return made


def _picture(
  panel, found: findings.Findings, at: int, title: str, query: int
) -> None:
  shown = found.gallery
  panel.imshow(gallery.pixels(shown.thumbnails[at]))
  ink = "black"
  if shown.class_names and shown.labels[at] != shown.labels[query]:
    ink, title = "#c23b3b", f"{title}, other"
  elif shown.class_names and not title:
    title = plots.plain(shown.class_names[shown.labels[at]][:14])
  panel.set_title(title, fontsize=6.0, fontweight="normal", pad=1.5, color=ink)


def _map(found: findings.Findings) -> figure.Figure:
  made = figure.Figure((_WIDTH, 0.8 * _WIDTH), layout="constrained")
  panel = made.subplots()
  panel.set_axis_off()
  panel.set_aspect("equal")
  names, labels = found.gallery.class_names, found.gallery.labels
  if not names:
    _scatter_pictures(panel, found)
    return made
  palette = colours.of_classes(len(names))
  size = float(np.clip(16000 / len(labels), 4, 25))
  for at, name in enumerate(names):
    x, y = found.positions[labels == at].T
    label = plots.plain(name).lstrip("_") or "_"
    panel.scatter(x, y, size, palette[at], label=label, linewidths=0)
  if len(names) <= _MAX_LEGEND:
    made.legend(loc="outside right center", markerscale=1.5)
  return made


def _scatter_pictures(panel, found: findings.Findings) -> None:
  """One picture in each cell of the map that has any."""
  cells = np.floor(found.positions * _CELLS).astype(np.int64)
  taken, chosen = np.unique(cells, axis=0, return_index=True)
  (left, bottom), (right, top) = taken.min(axis=0), taken.max(axis=0)
  panel.set_xlim(left - 1, right + 1)
  panel.set_ylim(bottom - 1, top + 1)
  for at, place in zip(chosen, taken, strict=True):
    image = gallery.pixels(found.gallery.thumbnails[at])
    inside = offsetbox.OffsetImage(image, zoom=_THUMBNAIL / max(image.shape))
    panel.add_artist(offsetbox.AnnotationBbox(inside, place, frameon=False))


def _spectrum(found: findings.Findings) -> figure.Figure:
  made = figure.Figure((4.5, 3.0), layout="constrained")
  plots.draw_spectrum(made.subplots(), found.spectrum)
  return made


def _confusion(found: findings.Findings) -> figure.Figure:
  counts = found.confusion.counts
  names = [plots.plain(name) for name in found.gallery.class_names]
  shares = counts / counts.sum(axis=1, keepdims=True)
  side = float(np.clip(0.42 * len(names) + 1.5, 3.5, 9.0))
  made = figure.Figure((side + 0.8, side), layout="constrained")
  panel = made.subplots()
  panel.grid(False)
  drawn = panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
  made.colorbar(drawn, label="share of the true class", shrink=0.7)
  panel.set_xlabel("given class")
  panel.set_ylabel("true class")
  panel.set_title(f"{found.confusion.accuracy:.1%} right")
  if len(names) <= _MAX_NAMED:
    size = 8.0 if len(names) <= _MAX_NUMBERED else 6.0
    panel.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
    panel.set_yticks(range(len(names)), names, fontsize=size)
  if len(names) <= _MAX_NUMBERED:
    for (row, column), value in np.ndenumerate(counts):
      ink = "white" if shares[row, column] > 0.5 else "black"
      text = str(value) if value else ""
      panel.text(
        column, row, text, ha="center", va="center", color=ink, fontsize=7.0
      )
  return made


def _curves(found: findings.Findings) -> figure.Figure:
  columns = min(3, len(found.panels))
  rows = math.ceil(len(found.panels) / columns)
  made = figure.Figure((3.2 * columns, 2.5 * rows), layout="constrained")
  grid = made.subplots(rows, columns, squeeze=False).ravel()
  for panel, shown in zip(grid, found.panels, strict=False):
    plots.draw_curves(panel, shown)
  for panel in grid[len(found.panels) :]:
    panel.set_axis_off()
  return made
