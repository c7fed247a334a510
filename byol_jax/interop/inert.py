"""What a pickle is read as: values that do nothing, or a refusal."""

import dataclasses
from collections.abc import Callable
from typing import Any

_MAX_SHOWN = 80


class PickleError(ValueError):
  """A pickle that is refused, said in one sentence without the file's name."""


@dataclasses.dataclass(frozen=True, slots=True)
class Function:
  """What stands for a function or class that a pickle names.

  Attributes:
    name: with its module.
    call: from the tuple of arguments to data; raises PickleError.
  """

  name: str
  call: Callable[[tuple[Any, ...]], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Packed:
  """Bytes that are written as a text, as protocol 2 does."""

  data: bytes


@dataclasses.dataclass(slots=True, eq=False)
class Unbuilt:
  """What is made in two instructions, the second of which gives its state.

  Attributes:
    value: what it is so far.
    build: from the state to the value, once; None when it is built.
  """

  value: Any
  build: Callable[[Any], Any] | None


def built(value: Any) -> Any:
  """The value itself, where it was made in two instructions.

  Raises:
    PickleError: the second one is missing.
  """
  if not isinstance(value, Unbuilt):
    return value
  if value.value is None:
    raise PickleError("is damaged: an array has no contents")
  return value.value


def shown(value: Any) -> str:
  """The beginning of a text that a file has written, on one line.

  Args:
    value: anything that the file holds. What is no text is told by its type:
      as a text it could be as long as its maker likes.
  """
  if not isinstance(value, str):
    return f"something of type {type(value).__name__}"
  text = ascii(value[: _MAX_SHOWN + 1])[1:-1]
  return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def refused(what: str) -> PickleError:
  """The error of a file that may be an attack.

  Args:
    what: it does, after "it".
  """
  return PickleError(
    f"is refused: it {what}, which no checkpoint needs; nothing in it was run"
  )
