"""What the devices did, read from a trace of `jax.profiler`."""

import collections
import gzip
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple


class Kernel(NamedTuple):
  """All runs of one kernel.

  Attributes:
    name: as the trace has it.
    count: runs.
    millisecs: of all runs together, without what ran inside them.
    share: of all kernels' time, in [0, 1].
  """

  name: str
  count: int
  millisecs: float
  share: float


def find(folder: str) -> pathlib.Path:
  """The newest trace in a folder that `jax.profiler.trace` was given.

  Raises:
    FileNotFoundError: there is none.
  """
  found = sorted(pathlib.Path(folder).rglob("*.trace.json.gz"))
  if not found:
    raise FileNotFoundError(f"{folder} has no trace of jax.profiler.")
  return max(found, key=lambda path: path.stat().st_mtime)


def top(file: pathlib.Path, count: int = 10) -> list[Kernel]:
  """The kernels that took the most time.

  Args:
    file: a gzipped JSON trace.
    count: how many, at most.

  Returns:
    The longest first; on a GPU what ran in its streams, on a CPU the parts of
    the program.
  """
  with gzip.open(file, "rt", encoding="utf-8") as stream:
    events = json.load(stream)["traceEvents"]
  runs, micros = collections.Counter(), collections.Counter()
  for name, own in _own_times(_of_devices(events)):
    runs[name] += 1
    micros[name] += own
  total = sum(micros.values())
  return [
    Kernel(name, runs[name], time / 1e3, time / total)
    for name, time in micros.most_common(count)
  ]


def table(kernels: Sequence[Kernel]) -> str:
  """Markdown."""
  lines = ["| kernel | runs | ms | share |", "|---|---|---|---|"]
  lines += [
    f"| `{x.name}` | {x.count} | {x.millisecs:.4g} | {x.share:.1%} |"
    for x in kernels
  ]
  return "\n".join(lines)


def _of_devices(events: Sequence[Mapping]) -> list[Mapping]:
  """Events of GPU streams; without any, those of the program's parts."""
  streams = {
    (x["pid"], x.get("tid"))
    for x in events
    if x.get("name") == "thread_name"
    and x["args"].get("name", "").startswith("Stream")
  }
  done = [x for x in events if x.get("ph") == "X"]
  in_streams = [x for x in done if (x["pid"], x["tid"]) in streams]
  return in_streams or [x for x in done if "hlo_op" in x.get("args", {})]


def _own_times(events: Sequence[Mapping]) -> Iterator[tuple[str, float]]:
  """Name and microseconds of each event, less those of events inside it."""
  threads = collections.defaultdict(list)
  for x in events:
    threads[x["pid"], x["tid"]].append(x)
  for found in threads.values():
    own, open_events = [], []
    for x in sorted(found, key=lambda x: (x["ts"], -x["dur"])):
      while open_events and open_events[-1][0] <= x["ts"]:
        open_events.pop()
      if open_events:
        own[open_events[-1][1]][1] -= x["dur"]
      open_events.append((x["ts"] + x["dur"], len(own)))
      own.append([x["name"], x["dur"]])
    yield from map(tuple, own)
