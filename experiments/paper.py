"""The numbers that the papers print, from paper_tables.json."""

import functools
import json
import pathlib
from collections.abc import Mapping
from typing import Any

_OWN = {"paper_id": "Ours", "caption": "no paper", "unit": "%", "rows": ()}
_FILE = pathlib.Path(__file__).with_name("paper_tables.json")
_OTHERS = "Numbers of other authors' runs, for orientation."

# Tables that no command of this folder fills, and why.
WITHOUT_EXPERIMENT: Mapping[str, str] = {
  "table6": "A configuration: configs/imagenet.py.",
  "table10": "A configuration: byol_jax/data/benchmark_sets.py.",
  "figure3a_plotted": "Drawn up to 0.3 points beside Table 16's rows, which "
  "figure3 runs.",
  "mocov2_table1": "MoCo's own; configs/moco_v2.py is its last two rows.",
  "mocov2_temperature": "MoCo's own; configs/moco_v2.py with "
  "--config.objective.temperature.",
  "mocov1_momentum": "MoCo's own; it takes configs/moco_v2.py with "
  "--config.target.base_decay.",
  "reference_release": _OTHERS,
  "third_party_small_scale": _OTHERS,
}


def names() -> tuple[str, ...]:
  """Keys of all tables and figures with numbers."""
  return tuple(key for key in _load() if key != "_meta")


def table(key: str) -> Mapping[str, Any]:
  """One table: `paper_id`, `caption`, `columns`, `rows` and more.

  Args:
    key: one of `names()`; "" for a table that no paper has.

  Raises:
    ValueError: there is no such table.
  """
  if not key:
    return _OWN
  if key not in names():
    raise ValueError(f"paper_tables.json has no {key!r}; see its keys.")
  return _load()[key]


def value(key: str, row: str, column: str) -> float | None:
  """A printed number, in the table's unit; None for a dash.

  Args:
    key: of the table.
    row: its `method`.
    column: one of its columns.

  Raises:
    ValueError: there is no such table.
  """
  return _row(key, row).get("values", {}).get(column)


def spread(key: str, row: str, column: str) -> float | None:
  """Half of highest less lowest over three runs, None where not printed.

  The paper prints it above 0.25 points.

  Args:
    key: of the table.
    row: its `method`.
    column: one of its columns.

  Raises:
    ValueError: there is no such table.
  """
  return _row(key, row).get("spread", {}).get(column)


def _row(key: str, name: str) -> Mapping[str, Any]:
  """The first row with a name: Table 19 prints one label twice."""
  rows = (row for row in table(key)["rows"] if row["method"] == name)
  return next(rows, {})


@functools.cache
def _load() -> Mapping[str, Any]:
  return json.loads(_FILE.read_text(encoding="utf-8"))
