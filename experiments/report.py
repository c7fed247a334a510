"""One HTML page of everything that has run, readable without a network.

python -m experiments.report --output=report.html
"""

import argparse
import base64
import html
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple, NoReturn

from byol_jax import exits, intact

from . import (
  catalogue,
  curves,
  declare,
  figures,
  grouping,
  results,
  scales,
  tables,
)

_SECS_PER_HOUR = 3600.0
_STYLE = """
body { font: 15px/1.5 sans-serif; color: #222; margin: 2em auto;
  max-width: 70em; padding: 0 1em; }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 2.5em; border-bottom: 2px solid #ddd; }
h3 { margin-top: 2em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1em 0; font-size: 14px; }
th, td { padding: 0.25em 0.8em; border-bottom: 1px solid #e3e3e3;
  text-align: right; vertical-align: top; }
th { border-bottom: 2px solid #bbb; }
.text { text-align: left; }
img { max-width: 100%; height: auto; display: block; margin: 1em 0; }
code { background: #f3f3f3; padding: 0 0.2em; }
.facts { color: #555; font-size: 14px; }
"""


class Section(NamedTuple):
  """An experiment that has results.

  Attributes:
    experiment: its declaration.
    scale: where it was run.
    lines: its results, as it is declared now.
  """

  experiment: declare.Experiment
  scale: scales.Scale
  lines: list[results.Line]


class _Parser(argparse.ArgumentParser):
  """Says what is wrong without repeating how it is used."""

  def error(self, message: str) -> NoReturn:
    exits.refuse(message)


def main(argv: Sequence[str]) -> None:
  """Writes the page.

  Args:
    argv: flags.

  Raises:
    SystemExit: a flag is wrong, or nothing has run.
  """
  parser = _Parser(prog="python -m experiments.report", allow_abbrev=False)
  parser.add_argument("--output", default="report.html")
  parser.add_argument(
    "--results", default=os.path.join("experiments", "results")
  )
  flags = parser.parse_args(argv)
  found = sections(catalogue.ALL, flags.results)
  if not found:
    parser.error(f"--results={flags.results} has no results.")
  try:
    intact.write_whole(page(found), flags.output)
  except OSError as error:
    parser.error(str(error))
  print(f"{len(found)} experiments: {flags.output}")


def sections(
  experiments: Sequence[declare.Experiment], folder: str
) -> list[Section]:
  """What has run.

  Args:
    experiments: in the order of the page.
    folder: of the results of all scales.
  """
  found = []
  for name, scale in scales.SCALES.items():
    for experiment in experiments:
      file = results.path(os.path.join(folder, name), experiment.name)
      lines = grouping.current(experiment, scale, results.load(file))
      if lines:
        found.append(Section(experiment, scale, lines))
  return found


def page(found: Sequence[Section]) -> str:
  """The whole page.

  Args:
    found: one section or more.
  """
  lines = [line for section in found for line in section.lines]
  num_runs = len({line["digest"] for line in lines})
  hours = results.seconds(lines) / _SECS_PER_HOUR
  parts = [
    "<!DOCTYPE html>",
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width">',
    f"<title>BYOL: tables and figures</title><style>{_STYLE}</style></head>",
    "<body><h1>BYOL: the paper's tables and figures, and ours</h1>",
    f"<p>{len(found)} experiments, {num_runs} evaluations, {hours:.1f} hours."
    " The paper's numbers are of ImageNet with a ResNet-50; at other scales"
    " only the order of the rows can be compared.</p>",
    *_contents(found),
  ]
  for scale in dict.fromkeys(section.scale.name for section in found):
    mine = [section for section in found if section.scale.name == scale]
    about = html.escape(mine[0].scale.about)
    parts.append(f"<h2>Scale {scale}: {about}</h2>")
    for section in mine:
      parts += _section(section)
  return "\n".join([*parts, "</body></html>"]) + "\n"


def _contents(found: Sequence[Section]) -> Iterator[str]:
  yield "<ul>"
  for section in found:
    title = html.escape(section.experiment.title)
    name = section.experiment.name
    yield (
      f'<li><a href="#{_anchor(section)}">{section.scale.name}: {name},'
      f" {title}</a></li>"
    )
  yield "</ul>"


def _section(section: Section) -> Iterator[str]:
  experiment, scale, lines = section
  title = html.escape(experiment.title)
  yield f'<h3 id="{_anchor(section)}">{experiment.name}: {title}</h3>'
  yield f"<p>{html.escape(tables.caption(experiment))}</p>"
  yield _table(tables.scores(experiment, lines))
  yield _image(figures.scores(experiment, scale, lines), title)
  drawn = curves.training(experiment, lines, tables.STATISTICS)
  if drawn:
    yield _image(drawn, f"{title}: while training")
    yield _table(tables.collapse(experiment, lines))
  yield "<details><summary>What the rows change in the config</summary>"
  yield _table(tables.changes(experiment, lines))
  yield '</details><ul class="facts">'
  for fact in tables.facts(experiment, scale, lines):
    yield f"<li>{_inline(fact)}</li>"
  yield "</ul>"


def _table(grid: tables.Grid) -> str:
  """A table that scrolls by itself where it is too wide."""

  def row(cells, tag):
    looks = [
      ' class="text"' if at < grid.num_texts else "" for at in range(len(cells))
    ]
    shown = "".join(
      f"<{tag}{look}>{_inline(cell)}</{tag}>"
      for look, cell in zip(looks, cells, strict=True)
    )
    return f"<tr>{shown}</tr>"

  body = "".join(row(cells, "td") for cells in grid.body)
  head = row(grid.head, "th")
  return f'<div class="wide"><table>{head}{body}</table></div>'


def _image(picture, text: str) -> str:
  data = base64.b64encode(figures.svg(picture)).decode()
  return f'<img alt="{text}" src="data:image/svg+xml;base64,{data}">'


def _inline(text: str) -> str:
  """Escaped, with Markdown's code."""
  return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text))


def _anchor(section: Section) -> str:
  return f"{section.scale.name}-{section.experiment.name}"


if __name__ == "__main__":
  main(sys.argv[1:])
