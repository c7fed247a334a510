"""What one setting may be: its types, its range and the same in words."""

import math
import reprlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

# What int32 and float32 hold; beyond, seeds would repeat and rates be infinite.
LARGEST = {int: 2**31 - 1, float: 1e30}
SMALLEST = 1e-30

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 120
_SHORT.maxtuple = 20


class Rule(NamedTuple):
  """What one key may be.

  Attributes:
    types: of the value; not of subclasses, so that True is no number.
    holds: whether a value of such a type is allowed.
    allowed: the same in words, to be read after "must be".
  """

  types: tuple[type, ...]
  holds: Callable[[Any], bool]
  allowed: str


def shown(value: Any) -> str:
  """A value for a sentence: as Python writes it, shortened."""
  return _SHORT.repr(value)


def flatten(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
  """Pairs of dotted key and value.

  Args:
    settings: with `items`; values of the same type are sections of it.
    prefix: of all keys.
  """
  for key, value in settings.items():
    if isinstance(value, type(settings)):
      yield from flatten(value, f"{prefix}{key}.")
    else:
      yield f"{prefix}{key}", value


def text() -> Rule:
  """Any text."""
  return Rule((str,), lambda value: True, "a text")


def flag() -> Rule:
  """True or False."""
  return Rule((bool,), lambda value: True, "True or False")


def choice(*choices: str) -> Rule:
  """One of some texts."""
  return Rule((str,), choices.__contains__, f"one of {', '.join(choices)}")


def count(low: int) -> Rule:
  """An integer from `low` up."""
  return Rule((int,), lambda value: value >= low, f"an integer from {low} up")


def byte() -> Rule:
  """A value that a pixel of a mask can have."""
  return Rule(
    (int,), lambda value: 0 <= value <= 255, "an integer from 0 to 255"
  )


def side() -> Rule:
  """Pixels of a picture's side.

  Blocks of a network halve it; one at the upper end fills a device's memory.
  """
  return Rule((int,), _is_side, "an integer from 8 to 4096")


def _is_side(value: Any) -> bool:
  return type(value) is int and 8 <= value <= 4096


def number(low: float, high: float = math.inf) -> Rule:
  """A finite number from `low` to `high`."""
  reach = f"from {low:g} up" if math.isinf(high) else f"in [{low:g}, {high:g}]"
  return Rule(
    (int, float),
    lambda value: low <= value <= high and math.isfinite(value),
    f"a number {reach}",
  )


def positive() -> Rule:
  """A finite number above 0."""
  return Rule(
    (int, float),
    lambda value: value > 0 and math.isfinite(value),
    "a number above 0",
  )


def decay() -> Rule:
  """A number in [0, 1)."""
  return Rule((int, float), lambda value: 0 <= value < 1, "a number in [0, 1)")


def share() -> Rule:
  """A number in (0, 1]."""
  return Rule((int, float), lambda value: 0 < value <= 1, "a number in (0, 1]")


def sizes() -> Rule:
  """A tuple of positive integers, perhaps empty."""
  return Rule(
    (tuple,),
    lambda value: all(type(size) is int and size > 0 for size in value),
    "a tuple of positive integers such as (4096,)",
  )


def counts() -> Rule:
  """A tuple of positive integers, at least one."""
  return Rule(
    (tuple,),
    lambda value: len(value) > 0 and sizes().holds(value),
    "a tuple of positive integers such as (1, 5, 20, 200)",
  )


def options(low: float) -> Rule:
  """Values of which the best is chosen."""

  def holds(value: Any) -> bool:
    numbers = all(type(number) in (int, float) for number in value)
    fine = numbers and all(low <= number < math.inf for number in value)
    return fine and 0 < len(value) == len(set(value))

  allowed = (
    f"a tuple of different numbers from {low:g} up such as ({low + 1:g},)"
  )
  return Rule((tuple,), holds, allowed)


def pixels() -> Rule:
  """Height and width of a picture."""
  return Rule(
    (tuple,),
    lambda value: len(value) == 2 and all(map(_is_side, value)),
    "height and width, two integers from 8 to 4096",
  )


def shares() -> Rule:
  """Rising places within a whole, perhaps none."""

  def holds(value: Any) -> bool:
    inside = all(type(x) is float and 0 < x < 1 for x in value)
    return inside and list(value) == sorted(set(value))

  return Rule((tuple,), holds, "rising numbers in (0, 1) such as (0.7, 0.9)")


def names() -> Rule:
  """A tuple of texts, perhaps empty."""
  return Rule(
    (tuple,),
    lambda value: all(type(name) is str for name in value),
    'a tuple of names such as ("food101",)',
  )


def numbers(count: int, low: float, high: float, ordered: bool) -> Rule:
  """A tuple of numbers above `low`, up to `high`."""

  def holds(value: Any) -> bool:
    numbers = all(type(number) in (int, float) for number in value)
    return (
      numbers
      and len(value) == count
      and all(low < number <= high for number in value)
      and not (ordered and list(value) != sorted(value))
    )

  order = " in rising order" if ordered else ""
  reach = f"in ({low:g}, {high:g}]"
  return Rule((tuple,), holds, f"{count} numbers {reach}{order}")
