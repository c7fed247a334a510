"""Time and processor time of something that is repeated.

In a row of a report a list is of single measurements, a float was measured or
computed from them, and everything else says what was measured: by that
`benchmarks.compare` finds the same row in another report.
"""

import datetime
import json
import os
import pathlib
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax

from byol_jax import exits, intact, origin

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


def report(rows: Sequence[Mapping], out: str) -> None:
  """Prints a Markdown table and, where `out` is a path, writes JSON.

  Args:
    rows: the table's, whose columns are those of the first; lists are not
      printed.
    out: file for all of it, with `meta` beside the `rows`, or empty.
  """
  columns = [name for name, x in rows[0].items() if not isinstance(x, list)]
  print("| " + " | ".join(columns) + " |")
  print("|" + "---|" * len(columns))
  for row in rows:
    print("| " + " | ".join(_text(row[name]) for name in columns) + " |")
  if out:
    text = json.dumps({"meta": meta(), "rows": list(rows)}, indent=2)
    try:
      intact.write_whole(text, out)
    except OSError as error:  # It could be, when the work began.
      exits.end(exits.FAILED, str(error))


def meta() -> dict[str, str | int]:
  """What a report depends on beside its command: code, machine, versions."""
  return {
    "commit": origin.commit(_FILE),
    "device": jax.devices()[0].device_kind,
    "processor": _processor(),
    "cores": os.cpu_count() or 0,
    "jax": jax.__version__,
    "python": platform.python_version(),
    "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    "command": " ".join(sys.argv),
  }


def _processor() -> str:
  """The CPU's model, where the system tells."""
  lines = _CPU_INFO.read_text().splitlines() if _CPU_INFO.exists() else []
  names = [x.partition(":")[2] for x in lines if x.startswith("model name")]
  return names[0].strip() if names else platform.processor()


def _text(value: object) -> str:
  if value is None:  # Not known, or not measured.
    return "-"
  return f"{value:.4g}" if isinstance(value, float) else str(value)
