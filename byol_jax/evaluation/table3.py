"""The paper's Table 3, transfer to twelve data sets, with ours below."""

from collections.abc import Mapping
from typing import Any

from byol_jax.data import benchmark_sets

# The columns of the table are in the order of the sets.
COLUMNS = tuple(benchmark_sets.SETS)
# Per cent, ResNet-50, by the metric of each set: logistic regression on frozen
# features, and fine-tuning.
LOGISTIC = {
  "BYOL": "75.3 91.3 78.4 57.2 62.2 67.8 60.6 82.5 75.5 90.4 94.2 96.1",
  "SimCLR (repro)": (
    "72.8 90.5 74.4 42.4 60.6 49.3 49.8 81.4 75.7 84.6 89.3 92.6"
  ),
  "SimCLR": "68.4 90.6 71.6 37.4 58.8 50.3 50.3 80.5 74.5 83.6 90.3 91.2",
  "Supervised-IN": (
    "72.3 93.6 78.3 53.7 61.9 66.7 61.0 82.8 74.9 91.5 94.5 94.7"
  ),
}
FINE_TUNED = {
  "BYOL": "88.5 97.8 86.1 76.3 63.7 91.6 88.1 85.4 76.2 91.7 93.8 97.0",
  "SimCLR (repro)": (
    "87.5 97.4 85.3 75.0 63.9 91.4 87.6 84.5 75.4 89.4 91.7 96.6"
  ),
  "SimCLR": "88.2 97.7 85.9 75.9 63.5 91.3 88.1 84.1 73.2 89.2 92.1 97.0",
  "Supervised-IN": (
    "88.3 97.5 86.4 75.8 64.3 92.1 86.0 85.0 74.6 92.1 93.3 97.6"
  ),
  "Random init": "86.9 95.9 80.2 76.1 53.6 91.4 85.9 67.3 64.8 81.5 72.6 92.0",
}


def rows_of(config: Mapping[str, Any]) -> tuple[Mapping[str, str], str]:
  """The paper's rows for a protocol, and what the table shows.

  Args:
    config: of an evaluation, as its results have it.

  Returns:
    `LOGISTIC`, `FINE_TUNED`, or {} for what the paper does not have; a caption.
  """
  metric = "Per cent, by the metric of each set"
  if config["protocol"] == "logistic":
    return LOGISTIC, f"Logistic regression on frozen features. {metric}."
  if config["protocol"] == "knn":
    return {}, "k-nearest neighbours, top-1, per cent."
  if config["training"]["frozen"]:
    return {}, f"Linear evaluation. {metric}."
  return FINE_TUNED, f"Fine-tuning. {metric}."


def table(
  paper: Mapping[str, str], ours: Mapping[str, float], name: str
) -> str:
  """Markdown: the paper's rows, then ours.

  Args:
    paper: from `rows_of`.
    ours: share in [0, 1] by data set; what lacks is shown as a dash.
    name: of our row.
  """
  rows = {method: line.split() for method, line in paper.items()}
  cells = (ours.get(column) for column in COLUMNS)
  rows[f"{name} (ours)"] = [
    "-" if cell is None else f"{100 * cell:.1f}" for cell in cells
  ]
  lines = [("", *COLUMNS), ("---",) * (len(COLUMNS) + 1)]
  lines += [(method, *numbers) for method, numbers in rows.items()]
  return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
