"""An experiment's table, paper and ours, and how it was made."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from . import declare, grouping, paper, results, scales, scoring

# What tells a collapsed network from another, as recorded while it trains.
STATISTICS = ("loss", "projection_std", "view_cosine", "image_cosine")
_KNN = "test_knn_top1"
_SECS_PER_HOUR = 3600.0
_COMMIT_LENGTH = 10


class Grid(NamedTuple):
  """A table of texts.

  Attributes:
    head: of each column.
    body: rows, each as long as `head`; none where there is nothing to show.
    num_texts: columns, from the left, that are no numbers.
  """

  head: list[str]
  body: list[list[str]]
  num_texts: int = 1


def markdown(
  experiment: declare.Experiment,
  scale: scales.Scale,
  lines: Sequence[results.Line],
) -> str:
  """The page of an experiment.

  Args:
    experiment: its declaration.
    scale: where it was run.
    lines: of the experiment, at that scale, from `grouping.current`.
  """
  parts = [
    f"# {experiment.title}",
    caption(experiment),
    _text(scores(experiment, lines)),
    _titled("At the end of pretraining", collapse(experiment, lines)),
    "\n".join(f"- {fact}" for fact in facts(experiment, scale, lines)),
    _titled("Changes of each row", changes(experiment, lines)),
  ]
  return "\n\n".join(part for part in parts if part) + "\n"


def caption(experiment: declare.Experiment) -> str:
  """What the numbers are."""
  printed = paper.table(experiment.paper)
  lower = [x.title for x in experiment.columns if x.lower_is_better]
  seeds = "n seeds"
  if experiment.seeds_of == "evaluation":
    seeds += " of the evaluation, on one encoder"
  return (
    f"{printed['paper_id']}: {printed['caption']}. In {printed['unit']}; ours"
    f" is the mean ± half of the highest less the lowest of {seeds}, as the"
    " paper prints it."
  ) + (f" Lower is better: {', '.join(lower)}." if lower else "")


def scores(
  experiment: declare.Experiment, lines: Sequence[results.Line]
) -> Grid:
  """The paper's numbers and ours, by row and column."""
  found = scoring.scores(experiment, lines)
  head = [""]
  for column in experiment.columns:
    head += [f"{column.title}, paper", f"{column.title}, ours"]
  body = []
  for row in experiment.rows:
    cells = [row.name]
    for column in experiment.columns:
      cells.append(_quoted(experiment, row.name, column.name))
      cells.append(_ours(found.get((row.name, column.name)), column))
    body.append(cells)
  return Grid(head, body)


def collapse(
  experiment: declare.Experiment, lines: Sequence[results.Line]
) -> Grid:
  """Means over the seeds of what each pretraining recorded last."""
  names = [
    name
    for name in (*STATISTICS, _KNN)
    if any(name in line["statistics"] for line in lines)
  ]
  body = []
  for label, mine in grouping.labelled(experiment, lines):
    means = [_mean(mine, name) for name in names]
    if any(map(math.isfinite, means)):
      body.append([label, *map(_decimal, means)])
  return Grid(["", *names], body)


def facts(
  experiment: declare.Experiment,
  scale: scales.Scale,
  lines: Sequence[results.Line],
) -> list[str]:
  """Sentences in Markdown: where, when and on what."""
  base = scale.bases[experiment.base]
  with_changes = _listing(base.changes)
  config = f"`{base.config}`" + (
    f" with {with_changes}" if with_changes else ""
  )
  about = base.about or scale.about
  found = [f"Scale `{scale.name}`: {about}.", f"Config {config}."]
  for name in dict.fromkeys(x.evaluation for x in experiment.columns):
    recipe = scale.evaluations.get(name)
    if recipe and recipe.about:
      found.append(f"Evaluation `{recipe.config}`: {recipe.about}.")
  if scale.name in experiment.missing:
    found.append(f"Not run: {experiment.missing[scale.name]}")
  for row in experiment.rows:
    if scale.name in row.missing:
      found.append(f"{row.name}, not run: {row.missing[scale.name]}")
  if lines:
    hours = results.seconds(lines) / _SECS_PER_HOUR
    found += [
      f"Data: {_values(lines, 'data')}. Device: {_values(lines, 'device')}.",
      f"Commits: {_values(lines, 'commit')}. Seeds: {_values(lines, 'seed')}.",
      f"Wall time of all runs: {hours:.2f} h.",
    ]
  return found


def changes(
  experiment: declare.Experiment, lines: Sequence[results.Line]
) -> Grid:
  """What each row changes in the config of the scale."""
  body, groups = [], grouping.labelled(experiment, lines)
  several = len({mine[0]["config"] for _, mine in groups}) > 1
  for label, mine in groups:
    shown = _listing(mine[0]["overrides"]) or "none"
    if several:
      shown = f"`{mine[0]['config']}`: {shown}"
    untrained = mine[0]["encoder"] != "trained"
    body.append([label, "untrained" if untrained else shown])
  return Grid(["", "config"], body, 2)


def _text(grid: Grid) -> str:
  """Markdown, numbers to the right; "" for nothing."""
  if not grid.body:
    return ""
  rule = ["---:"] * len(grid.head)
  rule[: grid.num_texts] = ["---"] * grid.num_texts
  return "\n".join(
    "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |"
    for row in (grid.head, rule, *grid.body)
  )


def _titled(title: str, grid: Grid) -> str:
  return f"{title}:\n\n{_text(grid)}" if grid.body else ""


def _quoted(experiment, row: str, column: str) -> str:
  """The paper's number and, where it prints one, its spread."""
  value = paper.value(experiment.paper, row, column)
  spread = paper.spread(experiment.paper, row, column)
  if value is None:
    return "-"
  return f"{value:g}" if spread is None else f"{value:g} ± {spread:g}"


def _ours(score: scoring.Score | None, column: declare.Column) -> str:
  """Our number, "diverged" or "-"."""
  if score is None:
    return "-"
  parts = []
  if score.count:
    mean, spread = (scoring.text(x, column) for x in (score.mean, score.spread))
    more = f" ± {spread}" if score.count > 1 else ""
    parts.append(f"{mean}{more} (n={score.count})")
  if score.diverged:
    parts.append(f"diverged (n={score.diverged})")
  return ", ".join(parts)


def _mean(lines: Iterable[results.Line], name: str) -> float:
  """Mean of a statistic over the seeds, NaN without any."""
  by_seed = {line["seed"]: line["statistics"] for line in lines}
  found = [known[name] for known in by_seed.values() if name in known]
  return statistics.fmean(found) if found else math.nan


def _decimal(value: float) -> str:
  return f"{value:.4g}" if math.isfinite(value) else "-"


def _values(lines: Iterable[results.Line], key: str) -> str:
  found = sorted({line[key] for line in lines if line.get(key, "") != ""})
  shown = [
    str(x)[:_COMMIT_LENGTH] if key == "commit" else str(x) for x in found
  ]
  return ", ".join(shown) or "unknown"


def _listing(changes: Mapping) -> str:
  return ", ".join(f"`{key}={value}`" for key, value in changes.items())
