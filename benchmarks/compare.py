"""What became slower than a stored run.

python -m benchmarks.augment --out=old.json
python -m benchmarks.augment --out=new.json
python -m benchmarks.compare old.json new.json

Reads what a benchmark writes with --out: rows with single measurements, which
`cliffs` and the topologies of `growth` do not have. Both runs need the same
settings. A row is found again by what was not measured in it. Each kind of
single measurements, `repeats` on the clock and `cpu_repeats` of the processor,
is compared by medians, and the noise is how far the middle half of the calls
lies apart, over the median, of both runs added; less than `--at_least` per cent
is never called a change. The exit code is 1 when something is slower, and 2
when there is nothing to compare. Two runs
on different machines or versions are compared all the same, and a line says so.
"""

import json
import pathlib
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks import command
from byol_jax import exits

# Of the run, not of the row, if a row has them.
_MACHINE = frozenset({"device", "processor", "cores"})
_MATTERS = (
  "device",
  "processor",
  "cores",
  "XLA_FLAGS",
  "jax",
  "python",
  "torch",
)
_KINDS = ("repeats", "cpu_repeats")


class Run(NamedTuple):
  """What a benchmark wrote.

  Attributes:
    meta: of the run, by name.
    settings: what defines the work of all rows, by name.
    rows: of its table, by what was not measured in them.
  """

  meta: Mapping[str, str | int]
  settings: Mapping[str, Any]
  rows: Mapping[str, Mapping]


class Change(NamedTuple):
  """One kind of measurement of one row.

  Attributes:
    row: what was measured.
    kind: "repeats" or "cpu_repeats".
    old: median of the stored run, in seconds.
    new: median of the other run.
    noise: what the ratio may differ from 1 by.
  """

  row: str
  kind: str
  old: float
  new: float
  noise: float

  @property
  def verdict(self) -> str:
    """Slower or faster by more than the noise, or the same."""
    if self.new > self.old * (1.0 + self.noise):
      return "slower"
    return "faster" if self.old > self.new * (1.0 + self.noise) else "same"


def main() -> None:
  """Prints what changed and ends with 1 when something is slower."""
  parser = command.Parser(__doc__)
  parser.add_argument("old", help="JSON file of a benchmark.")
  parser.add_argument("new", help="JSON file of the same benchmark, later.")
  parser.add_argument(
    "--at_least", type=command.positive, default=3.0, help="Per cent."
  )
  arguments = parser.parse_args()
  with command.refusing():
    old, new = read(arguments.old), read(arguments.new)
    check_settings(old.settings, new.settings)
  found = changes(old, new, arguments.at_least / 100.0)
  for line in (*differences(old.meta, new.meta), *missing(old.rows, new.rows)):
    print(line)
  if not found:
    exits.refuse("Nothing was measured in both runs.")
  print(table(found))
  raise SystemExit(int(any(x.verdict == "slower" for x in found)))


def read(path: str) -> Run:
  """Opens a report.

  Raises:
    ValueError: it is none.
  """
  try:
    stored = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
  except (OSError, ValueError, RecursionError) as error:
    raise ValueError(f"{path} cannot be read: {error}.") from error
  if not _is_report(stored):
    raise ValueError(
      f"{path} is no benchmark's report: it needs meta, and rows with seconds."
    )
  rows = {}
  for row in stored["rows"]:
    name, count = named(row), 2
    while name in rows:
      name, count = f"{named(row)} #{count}", count + 1
    rows[name] = row
  # Reports had no settings once: then they are unknown.
  return Run(stored["meta"], stored.get("settings", {}), rows)


def check_settings(old: Mapping, new: Mapping) -> None:
  """Refuses runs that did other work.

  Raises:
    ValueError: naming each setting that differs.
  """
  found = _differing(old, new, sorted(set(old) | set(new)))
  if found:
    raise ValueError(f"The runs measured other things: {'; '.join(found)}.")


def _is_report(stored: Any) -> bool:
  if not isinstance(stored, dict):
    return False
  rows = stored.get("rows")
  return (
    isinstance(stored.get("meta"), dict)
    and isinstance(stored.get("settings", {}), dict)
    and isinstance(rows, list)
    and all(isinstance(row, dict) for row in rows)
    and all(_are_times(row.get(kind, [])) for row in rows for kind in _KINDS)
  )


def _are_times(values: Any) -> bool:
  return isinstance(values, list) and all(
    type(x) in (int, float) and x > 0 for x in values
  )


def named(row: Mapping) -> str:
  """What of a row was not measured."""
  kept = {
    name: value
    for name, value in row.items()
    if not isinstance(value, float | list | None) and name not in _MACHINE
  }
  return ", ".join(f"{name}={kept[name]}" for name in sorted(kept))


def changes(old: Run, new: Run, at_least: float) -> list[Change]:
  """Compares what both runs measured, in the order of the new one.

  Args:
    old: the stored run.
    new: the other.
    at_least: the smallest change of a ratio that counts.
  """
  return [
    Change(
      name,
      kind,
      statistics.median(stored[kind]),
      statistics.median(row[kind]),
      max(at_least, _noise(stored[kind]) + _noise(row[kind])),
    )
    for name, row in new.rows.items()
    if (stored := old.rows.get(name))
    for kind in _KINDS
    if row.get(kind) and stored.get(kind)
  ]


def differences(old: Mapping, new: Mapping) -> Iterator[str]:
  """A line for machines or versions that are not the same."""
  found = _differing(old, new, _MATTERS)
  if found:
    yield f"The runs are not alike: {'; '.join(found)}."


def missing(old: Mapping, new: Mapping) -> Iterator[str]:
  """A line for each row that only one run has."""
  for name in old:
    if name not in new:
      yield f"Only in the old run: {name}"
  for name in new:
    if name not in old:
      yield f"Only in the new run: {name}"


def table(found: Sequence[Change]) -> str:
  """Markdown, what is slower first."""
  order = ("slower", "faster", "same")
  lines = [
    "| what | time | old ms | new ms | ratio | noise | |",
    "|---|---|---|---|---|---|---|",
  ]
  for x in sorted(found, key=lambda x: order.index(x.verdict)):
    clock = "clock" if x.kind == "repeats" else "processor"
    lines.append(
      f"| {x.row} | {clock} | {1e3 * x.old:.4g} | {1e3 * x.new:.4g} |"
      f" {x.new / x.old:.3f} | {x.noise:.1%} | {x.verdict} |"
    )
  return "\n".join(lines)


def _differing(old: Mapping, new: Mapping, names: Sequence[str]) -> list[str]:
  return [
    f"{name} was {old.get(name, 'unknown')} and is {new.get(name, 'unknown')}"
    for name in names
    if old.get(name) != new.get(name)
  ]


def _noise(values: Sequence[float]) -> float:
  """Width of the middle half of the values over their median."""
  if len(values) < 2:
    return 0.0
  first, middle, last = statistics.quantiles(values, method="inclusive")
  return (last - first) / middle


if __name__ == "__main__":
  main()
