"""What a compiled step costs on one device, and what a run of it takes."""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import chex
import jax

from byol_jax import chips, hlo

_SECS_AN_HOUR = 3600
# What XLA says when a program needs more memory than there is.
_TOO_LARGE = re.compile(r"hbm", re.IGNORECASE)


class Facts(NamedTuple):
  """Of one step on one device; memory in bytes.

  Attributes:
    batch_size: images of all devices together.
    num_devices: that share them.
    num_steps: of the whole run.
    arguments: memory of the state and the batch.
    results: memory of what is returned elsewhere than in the state's place.
    temporaries: memory of what lives during a step.
    code: memory of the program.
    waiting: memory of the batches that are placed ahead.
    flops: operations.
    num_bytes: read and written.
    roofline_secs: the compiler's time from operations and bytes; negative where
      it cannot tell.
    cycles: the compiler's sum over the program's parts, without exchanges.
    collectives: exchanges by kind.
    compile_secs: taken here.
  """

  batch_size: int
  num_devices: int
  num_steps: int
  arguments: int
  results: int
  temporaries: int
  code: int
  waiting: int
  flops: float
  num_bytes: float
  roofline_secs: float
  cycles: int
  collectives: Mapping[str, hlo.Traffic]
  compile_secs: float


class Row(NamedTuple):
  """A line of the report.

  Attributes:
    name: what it is.
    value: a number that two configs can be compared by.
    text: as it is shown.
  """

  name: str
  value: float
  text: str


def costs(compiled: jax.stages.Compiled, num_parts: int = 1) -> dict:
  """The part of `Facts` that the compiler knows.

  Its analysis counts what a loop over parts of the batch does once: bytes and
  time are taken times what the loops add to the cycles, and the operations,
  which are almost all there, times the parts.

  Args:
    compiled: for TPUs.
    num_parts: `training.micro_batches`.

  Returns:
    Values by the names of `Facts`.
  """
  memory = compiled.memory_analysis()
  analysis = compiled.cost_analysis()
  work = hlo.read(compiled.as_text())
  loops = work.cycles / max(work.cycles_once, 1)
  return {
    "arguments": memory.argument_size_in_bytes,
    "results": memory.output_size_in_bytes - memory.alias_size_in_bytes,
    "temporaries": memory.temp_size_in_bytes,
    "code": memory.generated_code_size_in_bytes,
    "flops": analysis["flops"] * num_parts,
    "num_bytes": analysis["bytes accessed"] * loops,
    "roofline_secs": analysis["optimal_seconds"] * loops,
    "cycles": work.cycles,
    "collectives": work.collectives,
  }


def num_bytes(tree: chex.ArrayTree) -> int:
  """Memory of arrays."""
  leaves = jax.tree.leaves(tree)
  return sum(math.prod(x.shape) * x.dtype.itemsize for x in leaves)


def needed(facts: Facts) -> int:
  """Memory of a device that a run takes while it trains."""
  return (
    facts.arguments
    + facts.results
    + facts.temporaries
    + facts.code
    + facts.waiting
  )


def says_too_large(error: str) -> bool:
  """Whether the compiler failed since a device has too little memory."""
  return "RESOURCE_EXHAUSTED" in error and bool(_TOO_LARGE.search(error))


def rows(facts: Facts, chip: chips.Chip) -> list[Row]:
  """The report.

  Args:
    facts: of a config.
    chip: what it is compiled for.

  Returns:
    Lines in their order.
  """
  cycles_secs = facts.cycles / (chip.gigahertz * 1e9)
  share = needed(facts) / chips.usable_bytes(chip)
  return [
    _count("images a device", facts.batch_size // facts.num_devices),
    _count("steps", facts.num_steps),
    _gb("memory", needed(facts), f", {share:.1%} of the device's"),
    _gb("  arguments", facts.arguments),
    _gb("  results", facts.results),
    _gb("  temporaries", facts.temporaries),
    _gb("  code", facts.code),
    _gb("  batches ahead", facts.waiting),
    Row("operations", facts.flops, f"{facts.flops / 1e9:,.3f} GFLOP"),
    _gb("bytes", facts.num_bytes),
    Row("cycles", facts.cycles, f"{facts.cycles / 1e6:,.2f} M"),
    *_exchanged(facts.collectives),
    *_times("by the roofline", facts.roofline_secs, facts),
    *_times("by the cycles", cycles_secs, facts),
    Row("compiled in", facts.compile_secs, f"{facts.compile_secs:,.0f} s"),
  ]


def table(titles: tuple[str, ...], columns: tuple[list[Row], ...]) -> str:
  """Lays out one report, or two beside each other with their ratio.

  Args:
    titles: of the columns.
    columns: from `rows`; what only one has stays empty in the other.
  """
  names = list(dict.fromkeys(row.name for rows in columns for row in rows))
  lines = [["", *titles, *(["ratio"] if len(columns) == 2 else [])]]
  for name in names:
    found = [
      next((x for x in rows if x.name == name), None) for rows in columns
    ]
    cells = [row.text if row else "" for row in found]
    if len(found) == 2:
      cells.append(_ratio(*found))
    lines.append([name, *cells])
  widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
  return "\n".join(
    "  ".join(map(str.ljust, line, widths)).rstrip() for line in lines
  )


def _ratio(one: Row | None, other: Row | None) -> str:
  if one is None or other is None or not one.value:
    return ""
  if math.isnan(one.value + other.value):  # One of them is not known.
    return ""
  return f"{other.value / one.value:.3f}"


def _exchanged(collectives: Mapping[str, hlo.Traffic]) -> list[Row]:
  return [
    _gb(kind, traffic.num_bytes, f" in {traffic.count:,}")
    for kind, traffic in sorted(collectives.items())
  ]


def _times(how: str, secs: float, facts: Facts) -> list[Row]:
  """A step, the rate of all devices and the run, from one of the estimates."""
  if secs < 0:  # XLA counts -1 for each part that it has no time for.
    return [Row(f"step {how}", math.nan, "not known to the compiler")]
  rate = facts.batch_size / max(secs, 1e-12)
  hours = secs * facts.num_steps / _SECS_AN_HOUR
  return [
    Row(f"step {how}", secs, f"{secs * 1e3:,.2f} ms"),
    Row(f"images/s {how}", rate, f"{rate:,.0f}"),
    Row(f"run {how}", hours, f"{hours:,.2f} hours"),
  ]


def _gb(name: str, size: float, more: str = "") -> Row:
  return Row(name, size, f"{size / 1e9:,.3f} GB{more}")


def _count(name: str, count: int) -> Row:
  return Row(name, count, f"{count:,}")
