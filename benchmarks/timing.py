"""Time and processor time of something that is repeated."""

import json
import pathlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def measure(
  work: Callable[[], None], num_items: int, repeats: int
) -> dict[str, float]:
  """Runs `work` once to warm up, then times it.

  Args:
    work: to be timed; it waits for its own results.
    num_items: pictures that one call handles.
    repeats: timed calls.

  Returns:
    Pictures a second of all cores together, processor milliseconds a picture
    of all threads together, each the median, and with `_spread` the distance
    between the fastest and the slowest call over the median, in per cent.
  """
  work()
  walls, processors = [], []
  for _ in range(repeats):
    wall, processor = time.perf_counter(), time.process_time()
    work()
    walls.append((time.perf_counter() - wall) / num_items)
    processors.append((time.process_time() - processor) / num_items)
  return {
    "images_per_second": 1.0 / statistics.median(walls),
    "images_per_second_spread": _spread(walls),
    "cpu_ms_per_image": 1e3 * statistics.median(processors),
    "cpu_ms_per_image_spread": _spread(processors),
  }


def interleaved(
  works: Mapping[str, Callable[[], None]], repeats: int
) -> dict[str, list[float]]:
  """Runs each once to warm up, then times them in turns.

  Args:
    works: to be timed, by name; each waits for its own results.
    repeats: timed calls of each.

  Returns:
    Seconds of each timed call.
  """
  walls = {name: [] for name in works}
  for turn in range(repeats + 1):
    for name, work in works.items():
      start = time.perf_counter()
      work()
      if turn:  # The first compiles.
        walls[name].append(time.perf_counter() - start)
  return walls


def report(rows: Sequence[Mapping], out: str) -> None:
  """Prints a Markdown table and, where `out` is a path, writes JSON."""
  columns = list(rows[0])
  print("| " + " | ".join(columns) + " |")
  print("|" + "---|" * len(columns))
  for row in rows:
    print("| " + " | ".join(_text(row[name]) for name in columns) + " |")
  if out:
    text = json.dumps(list(rows), indent=2)
    pathlib.Path(out).write_text(text, encoding="utf-8")


def _spread(values: Sequence[float]) -> float:
  return 100.0 * (max(values) - min(values)) / statistics.median(values)


def _text(value: object) -> str:
  return f"{value:.4g}" if isinstance(value, float) else str(value)
