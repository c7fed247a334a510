"""Time and processor time of something that is repeated.

In a row of a report a list is of single measurements, a float was measured or
computed from them, and everything else says what was measured: by that
`benchmarks.compare` finds the same row in another report. What all rows have
in common is in the report's settings.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from byol_jax import exits, intact, origin

# Arguments that choose rows, or say how often and where to, not what is done.
_ASIDE = frozenset(
  {
    "out",
    "repeats",
    "profile",
    "workdir",
    "only",
    "without_torch",
    "loop",
    "max_px",
  }
)
_FILE = pathlib.Path(__file__)
_CPU_INFO = pathlib.Path("/proc/cpuinfo")


class Times(NamedTuple):
  """Seconds of each timed call.

  Attributes:
    walls: on the clock.
    processors: of all threads of this process together.
  """

  walls: list[float]
  processors: list[float]


def interleaved(
  works: Mapping[str, Callable[[], None]], repeats: int
) -> dict[str, list[float]]:
  """As `turns`, the seconds on the clock alone."""
  return {name: times.walls for name, times in turns(works, repeats).items()}


def turns(
  works: Mapping[str, Callable[[], None]], repeats: int
) -> dict[str, Times]:
  """Runs each once to warm up, then times them in turns.

  Args:
    works: to be timed, by name; each waits for its own results.
    repeats: timed calls of each.

  Returns:
    What each call took.
  """
  found = {name: Times([], []) for name in works}
  for turn in range(repeats + 1):
    for name, work in works.items():
      wall, processor = time.perf_counter(), time.process_time()
      work()
      if turn:  # The first compiles.
        found[name].walls.append(time.perf_counter() - wall)
        found[name].processors.append(time.process_time() - processor)
  return found


def singles(times: Times) -> dict[str, list[float]]:
  """The single measurements, as columns that only the JSON file has."""
  return {"repeats": times.walls, "cpu_repeats": times.processors}


def report(rows: Sequence[Mapping], arguments: argparse.Namespace) -> None:
  """Prints a table and, where `--out` is given, writes JSON.

  Args:
    rows: of the table; each names what of its work `settings` does not.
    arguments: of the benchmark.
  """
  show(rows)
  if not arguments.out:
    return
  stored = {"meta": meta(), "settings": settings(arguments), "rows": list(rows)}
  try:
    intact.write_whole(json.dumps(stored, indent=2), arguments.out)
  except OSError as error:  # It could be, when the work began.
    exits.end(exits.FAILED, str(error))


def show(rows: Sequence[Mapping]) -> None:
  """Prints a Markdown table.

  Args:
    rows: the columns are those of the first; lists are not printed.
  """
  columns = [name for name, x in rows[0].items() if not isinstance(x, list)]
  print("| " + " | ".join(columns) + " |")
  print("|" + "---|" * len(columns))
  for row in rows:
    print("| " + " | ".join(_text(row[name]) for name in columns) + " |")


def settings(arguments: argparse.Namespace) -> dict[str, Any]:
  """What defines the work of all rows: only runs with the same are compared.

  Args:
    arguments: of the benchmark. A list is left out: its values are in the rows.
  """
  chosen = {
    name: value
    for name, value in vars(arguments).items()
    if name not in _ASIDE and not isinstance(value, list)
  }
  devices = jax.device_count()
  return {**chosen, "num_devices": devices, "allowed_cores": _allowed_cores()}


def meta() -> dict[str, str | int]:
  """What a report depends on beside its command: code, machine, versions."""
  torch = sys.modules.get("torch")
  return {
    "commit": origin.commit(_FILE),
    "device": jax.devices()[0].device_kind,
    "processor": _processor(),
    "cores": os.cpu_count() or 0,
    "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
    "jax": jax.__version__,
    "python": platform.python_version(),
    **({"torch": str(torch.__version__)} if torch else {}),
    "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    "command": " ".join(sys.argv),
  }


def _allowed_cores() -> int | str:
  """Of this process: "all", or how many where those are fewer."""
  if not hasattr(os, "sched_getaffinity"):  # Not Linux.
    return "all"
  count = len(os.sched_getaffinity(0))
  return "all" if count == os.cpu_count() else count


def _processor() -> str:
  """The CPU's model, where the system tells."""
  lines = _CPU_INFO.read_text().splitlines() if _CPU_INFO.exists() else []
  names = [x.partition(":")[2] for x in lines if x.startswith("model name")]
  return names[0].strip() if names else platform.processor()


def _text(value: object) -> str:
  if value is None:  # Not known, or not measured.
    return "-"
  return f"{value:.4g}" if isinstance(value, float) else str(value)
