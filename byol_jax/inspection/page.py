"""One HTML page that needs no network, and runs no code but its own.

Names of files and classes are escaped; should one get through all the same,
the page's policy forbids any script but the one whose digest it names.
"""

import base64
import hashlib
import html
import json
from collections.abc import Iterator

import matplotlib
import numpy as np
from matplotlib import figure

from byol_jax.inspection import (
  classes,
  colours,
  findings,
  plots,
  script,
  style,
)

# Neighbours that the map shows of a picture.
_NEAR = 4
_SIZE = (4.6, 3.0)  # Of a plot, in inches.


def page(found: findings.Findings) -> str:
  """The whole page.

  Args:
    found: what is shown.
  """
  digest = hashlib.sha256(script.JAVASCRIPT.encode()).digest()
  policy = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline';"
    f" script-src 'sha256-{base64.b64encode(digest).decode()}'"
  )
  title = html.escape(found.title)
  return "\n".join(
    [
      "<!DOCTYPE html>",
      '<html lang="en"><head><meta charset="utf-8">',
      f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
      '<meta name="viewport" content="width=device-width">',
      f"<title>{title}</title><style>{style.CSS}</style></head><body>",
      *_header(found),
      *_neighbours(found),
      *_map(found),
      *_spectrum(found),
      *classes.section(found),
      *_curves(found),
      f'<script type="application/json" id="data">{_data(found)}</script>',
      f"<script>{script.JAVASCRIPT}</script></body></html>\n",
    ]
  )


def _header(found: findings.Findings) -> Iterator[str]:
  yield f"<header><h1>{html.escape(found.title)}</h1>"
  yield (
    "<p>The encoder turns each picture into a list of numbers, its features."
    " This page shows which pictures they hold to be alike, how many directions"
    " they use"
    + (", whether neighbours share a class" if found.confusion else "")
    + ", and how the training went. Nothing was trained for it.</p>"
  )
  facts = (
    f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
    for name, value in found.facts
  )
  yield f"<dl>{''.join(facts)}</dl>"
  yield '<nav><a href="#neighbours">Neighbours</a><a href="#plane">Map</a>'
  yield '<a href="#spectrum">Spectrum</a>'
  if found.confusion:
    yield '<a href="#classes">Classes</a>'
  yield '<a href="#training">Training</a></nav></header>'


def _neighbours(found: findings.Findings) -> Iterator[str]:
  yield '<h2 id="neighbours">Most similar pictures</h2>'
  marks = (
    " A tick says that the class is the first picture's."
    if found.confusion
    else ""
  )
  yield (
    "<p>Left, pictures drawn at random from equal parts of the sorted names;"
    f" beside each, the {found.num_shown} others with the highest cosine"
    f" similarity (1 is the same direction).{marks}</p>"
  )
  yield '<div class="scroll"><table class="rows"><tbody>'
  for query in found.queries:
    cells = [_figure(found, query, "")]
    near, cosines = (x[query][: found.num_shown] for x in found.neighbours)
    for other, cosine in zip(near, cosines, strict=True):
      cells.append(_figure(found, other, f"{cosine:.2f}", query))
    yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
  yield "</tbody></table></div>"


def _figure(
  found: findings.Findings, at: int, cosine: str, query: int | None = None
) -> str:
  """A thumbnail with what is known of it."""
  shown = found.gallery
  name, below = html.escape(shown.names[at]), cosine
  last = html.escape(shown.names[at].rpartition("/")[2])
  if shown.class_names:
    kind = html.escape(shown.class_names[shown.labels[at]])
    below = f"{cosine} {kind}"
  if shown.class_names and query is not None:
    same = shown.labels[at] == shown.labels[query]
    look, mark = ("right", "✓") if same else ("wrong", "✗")
    below = f'<span class="{look}">{mark}</span> {below}'
  data = base64.b64encode(shown.thumbnails[at]).decode()
  return (
    f'<figure title="{name}"><img alt="{name}"'
    f' src="data:image/webp;base64,{data}">'
    f"<figcaption>{below.strip() or last}</figcaption></figure>"
  )


def _map(found: findings.Findings) -> Iterator[str]:
  yield '<h2 id="plane">Map</h2>'
  yield (
    f"<p>Each point is a picture, placed by {found.map_name}: what lies close"
    " together has similar features, while distances between far groups mean"
    " little. Point at one, tap it, or use the arrow keys.</p>"
  )
  yield '<div class="tools">'
  # Points without a colour tell little.
  pressed = "false" if found.gallery.class_names else "true"
  yield f'<button id="pictures" aria-pressed="{pressed}">Show pictures</button>'
  names = found.gallery.class_names
  for at, colour in enumerate(colours.of_classes(len(names))):
    yield (
      f'<button data-class="{at}" aria-pressed="false"'
      f' title="Show this class alone"><i style="background:{colour}"></i>'
      f"{html.escape(names[at])}</button>"
    )
  yield (
    '</div><div class="map"><canvas id="map" tabindex="0" role="img"'
    ' aria-label="Map of all pictures"></canvas>'
    '<div id="card" aria-live="polite" hidden></div></div>'
  )


def _spectrum(found: findings.Findings) -> Iterator[str]:
  mine = found.spectrum
  most = len(mine.values)
  yield '<h2 id="spectrum">Collapse spectrum</h2>'
  yield (
    f"<p>The features use about <b>{mine.effective_rank:.1f}</b> of at most"
    f" {most} directions (effective rank: the exponential of the entropy of the"
    " singular values of the centred features). Two different pictures have a"
    f" cosine of <b>{mine.mean_cosine:.3f}</b> on average.</p>"
    "<p>A healthy encoder's curve falls slowly. One that falls to nothing after"
    " a few directions says that all pictures look alike to the encoder:"
    " collapse, with a rank near 1 and a mean cosine near 1. Features are never"
    " negative, so a mean cosine of 0.5 or more is nothing bad by itself.</p>"
  )
  if mine.is_collapsed:
    yield (
      '<p class="warning">These features have collapsed: pictures hardly'
      " differ.</p>"
    )
  with matplotlib.rc_context(plots.inked()):
    drawn = figure.Figure(_SIZE, layout="constrained")
    plots.draw_spectrum(drawn.subplots(), mine)
  yield f'<figure class="plot">{plots.svg(drawn, "spectrum")}</figure>'


def _curves(found: findings.Findings) -> Iterator[str]:
  yield '<h2 id="training">Training</h2>'
  if not found.panels:
    yield (
      "<p>There is no record of the training: no metrics.jsonl lies beside the"
      " checkpoints.</p>"
    )
    return
  yield "<p>What the run recorded while it trained, over its steps.</p>"
  yield '<div class="panels">'
  for at, panel in enumerate(found.panels):
    with matplotlib.rc_context(plots.inked()):
      drawn = figure.Figure((3.9, 2.7), layout="constrained")
      plots.draw_curves(drawn.subplots(), panel)
    yield f'<figure class="plot">{plots.svg(drawn, f"curves{at}")}</figure>'
  yield "</div>"


def _data(found: findings.Findings) -> str:
  """What the script reads: JSON in which no tag can begin or end."""
  shown = found.gallery
  near = found.neighbours.index[:, :_NEAR]
  value = {
    "x": np.round(found.positions[:, 0], 4).tolist(),
    "y": np.round(found.positions[:, 1], 4).tolist(),
    "labels": shown.labels.tolist(),
    "names": shown.names,
    "classes": shown.class_names,
    "colours": colours.of_classes(len(shown.class_names)),
    "near": near.tolist(),
    "cosine": [f"{x:.2f}" for x in found.neighbours.cosine[:, 0]],
    "thumbnails": [base64.b64encode(x).decode() for x in shown.thumbnails],
  }
  return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
