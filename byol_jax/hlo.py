"""What the text of a program that XLA compiled says about its cost."""

import collections
import math
import re
from collections.abc import Mapping
from typing import NamedTuple

# Computations come after those that they call, and the entry last.
_COMPUTATION = re.compile(r"(?:ENTRY )?%?([\w.-]+) \(.*\) -> .*\{$")
_CALLED = re.compile(
  r"\b(?:body|condition|calls|to_apply|true_computation|false_computation|"
  r"called_computations|branch_computations)=(\{[^}]*\}|%?[\w.-]+)"
)
_NAME = re.compile(r"[\w.-]+")
_CONDITION = re.compile(r"\bcondition=%?([\w.-]+)")
# A loop over so many parts counts up to a constant.
_LIMIT = re.compile(r"= s32\[\]\S* constant\((\d+)\)")
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
# What is begun in one line and done in another counts when it is done.
_COLLECTIVE = re.compile(
  r" = (.*?) ((?:ragged-)?all-to-all|all-reduce|all-gather|reduce-scatter|"
  r"collective-permute|collective-broadcast)(?:-done)?\("
)
# What goes on beside other work stands in each piece of it, by one number.
_CHAIN = re.compile(r'\bchain_id="(\d+)"')
_ARRAY = re.compile(r"\b(pred|[a-z]+(\d+)\w*)\[([\d,]*)\]")


class Traffic(NamedTuple):
  """Exchanges of one kind in one run of a program.

  Attributes:
    count: how many.
    num_bytes: of their results on one device.
  """

  count: int
  num_bytes: int


class Work(NamedTuple):
  """One run of a program on one device.

  Attributes:
    cycles: that the compiler expects; exchanges are not in it.
    cycles_once: likewise, each loop's body once.
    collectives: kinds of exchange, such as "all-reduce".
  """

  cycles: int
  cycles_once: int
  collectives: Mapping[str, Traffic]


def read(text: str) -> Work:
  """Adds up a compiled program, its loops as often as they turn.

  A loop whose end cannot be read counts once, and of a choice all branches.

  Args:
    text: `jax.stages.Compiled.as_text()`.

  Returns:
    The sums.
  """
  bodies = _computations(text)
  runs = _runs(bodies)
  cycles, once = 0, 0
  traffic = collections.defaultdict(lambda: Traffic(0, 0))
  chains = set()
  for name, lines in bodies.items():
    for line in lines:
      estimate = sum(map(int, _CYCLES.findall(line)))
      cycles += runs[name] * estimate
      once += min(runs[name], 1) * estimate
      match = _COLLECTIVE.search(line)
      if match and _is_new(line, chains):
        count, size = traffic[match[2]]
        count, size = count + runs[name], size + runs[name] * _size(match[1])
        traffic[match[2]] = Traffic(count, size)
  return Work(cycles, once, dict(traffic))


def _is_new(line: str, chains: set[str]) -> bool:
  """Whether a line is of no chain among those seen, which gets its own."""
  match = _CHAIN.search(line)
  is_new = match is None or match[1] not in chains
  chains.update(match.groups() if match else ())
  return is_new


def _computations(text: str) -> dict[str, list[str]]:
  """Lines of each computation, in the text's order."""
  found, lines = {}, []
  for line in text.splitlines():
    match = _COMPUTATION.match(line)
    if match:
      lines = found[match[1]] = []
    else:
      lines.append(line)
  return found


def _runs(bodies: Mapping[str, list[str]]) -> Mapping[str, int]:
  """How often each computation runs."""
  runs = collections.Counter()
  runs[next(reversed(bodies), "")] = 1
  for name in reversed(bodies):
    for line in bodies[name]:
      turns = _turns(line, bodies)
      for called in _CALLED.findall(line):
        for other in _NAME.findall(called):
          runs[other] += runs[name] * turns
  return runs


def _turns(line: str, bodies: Mapping[str, list[str]]) -> int:
  """Of the loop that a line is; 1 for any other."""
  match = _CONDITION.search(line)
  if not match:
    return 1
  condition = "\n".join(bodies.get(match[1], []))
  limits = _LIMIT.findall(condition)
  return int(limits[0]) if len(limits) == 1 and "=LT" in condition else 1


def _size(shape: str) -> int:
  """Bytes of an array or a tuple of arrays, as their shapes are written."""
  total = 0
  for kind, bits, dims in _ARRAY.findall(shape):
    count = math.prod(int(dim) for dim in dims.split(",") if dim)
    total += count if kind == "pred" else count * int(bits) // 8
  return total
