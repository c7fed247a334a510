"""An experiment's table in Markdown: the paper's numbers beside ours."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from experiments import declare, grouping, paper, results, scales, scoring

# What tells a collapsed network from another, as recorded while it trains.
STATISTICS = ("loss", "projection_std", "view_cosine", "image_cosine")
_KNN = "test_knn_top1"


def markdown(
  experiment: declare.Experiment,
  scale: scales.Scale,
  lines: Sequence[results.Line],
) -> str:
  """The table, and below it how it was made.

  Args:
    experiment: its declaration.
    scale: where it was run.
    lines: of the experiment, at that scale, from `grouping.current`.
  """
  printed = paper.table(experiment.paper)
  parts = [
    f"# {experiment.title}",
    f"{printed['paper_id']}: {printed['caption']}. In {printed['unit']}; ours"
    " is the mean ± half of the highest less the lowest of n seeds.",
    _scores(experiment, lines),
    _statistics(experiment, lines),
    _facts(experiment, scale, lines),
    _changes(experiment, lines),
  ]
  return "\n\n".join(part for part in parts if part) + "\n"


def quoted(experiment: declare.Experiment, row: str, column: str) -> str:
  """The paper's number and, where it prints one, its spread."""
  value = paper.value(experiment.paper, row, column)
  spread = paper.spread(experiment.paper, row, column)
  if value is None:
    return "-"
  return f"{value:g}" if spread is None else f"{value:g} ± {spread:g}"


def ours(score: scoring.Score | None) -> str:
  """Our number, "diverged" or "-"."""
  if score is None:
    return "-"
  text = f"{score.diverged} diverged" if score.diverged else ""
  if score.count:
    spread = f" ± {score.spread:.1f}" if score.count > 1 else ""
    mean = f"{score.mean:.1f}{spread} (n={score.count})"
    text = f"{mean}, {text}" if text else mean
  return "diverged" if text == "1 diverged" else text


def grid(
  head: Sequence[str], body: Iterable[Sequence[str]], numbers_from: int = 1
) -> str:
  """A Markdown table, numbers to the right."""
  rule = ["---" if at < numbers_from else "---:" for at in range(len(head))]
  rows = [head, rule, *body]
  return "\n".join(
    "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |"
    for row in rows
  )


def _scores(experiment, lines) -> str:
  found = scoring.scores(experiment, lines)
  head = [""]
  for column in experiment.columns:
    head += [f"{column.title}, paper", f"{column.title}, ours"]
  body = []
  for row in experiment.rows:
    cells = [row.name]
    for column in experiment.columns:
      cells.append(quoted(experiment, row.name, column.name))
      cells.append(ours(found.get((row.name, column.name))))
    body.append(cells)
  return grid(head, body)


def _statistics(experiment, lines) -> str:
  """Means over the seeds of what was recorded last."""
  names = [
    name
    for name in (*STATISTICS, _KNN)
    if any(name in line.get("statistics", {}) for line in lines)
  ]
  body = []
  for label, mine in grouping.labelled(experiment, lines):
    means = [mean_statistic(mine, name) for name in names]
    if any(map(math.isfinite, means)):
      shown = [f"{x:.3f}" if math.isfinite(x) else "-" for x in means]
      body.append([label, *shown])
  if not body:
    return ""
  return f"At the end of pretraining:\n\n{grid(['', *names], body)}"


def mean_statistic(lines: Iterable[results.Line], name: str) -> float:
  """Mean over the seeds, NaN without any."""
  by_seed = {line["seed"]: line.get("statistics", {}) for line in lines}
  found = [known[name] for known in by_seed.values() if name in known]
  return statistics.fmean(found) if found else math.nan


def _facts(experiment, scale, lines) -> str:
  """Where, when and on what."""
  base = scale.bases[experiment.base]
  facts = [
    f"Scale `{scale.name}`: {scale.about}.",
    f"Config `{base.config}`{_text(base.changes)}.",
  ]
  if scale.name in experiment.missing:
    facts.append(f"Not run: {experiment.missing[scale.name]}")
  for row in experiment.rows:
    if scale.name in row.missing:
      facts.append(f"{row.name}, not run: {row.missing[scale.name]}")
  if lines:
    seconds = sum({x["digest"]: x["wall_secs"] for x in lines}.values())
    facts += [
      f"Data: {_listed(lines, 'data')}. Device: {_listed(lines, 'device')}.",
      f"Commits: {_listed(lines, 'commit')}. Seeds: {_listed(lines, 'seed')}.",
      f"Wall time of all runs: {seconds / 3600:.2f} h.",
    ]
  return "\n".join(f"- {fact}" for fact in facts)


def _listed(lines, key) -> str:
  values = sorted({line[key] for line in lines if line[key] != ""})
  shown = (str(x)[:10] if key == "commit" else str(x) for x in values)
  return ", ".join(shown) or "unknown"


def _changes(experiment, lines) -> str:
  """What each row changes."""
  body = []
  for label, mine in grouping.labelled(experiment, lines):
    changes = "none (untrained)" if mine[0]["encoder"] != "trained" else ""
    body.append([label, changes or _text(mine[0]["overrides"], "") or "none"])
  if not body:
    return ""
  return "Changes of each row:\n\n" + grid(["", "config"], body, 2)


def _text(changes: Mapping, before: str = " with ") -> str:
  shown = ", ".join(f"`{key}={value}`" for key, value in changes.items())
  return f"{before}{shown}" if shown else ""
