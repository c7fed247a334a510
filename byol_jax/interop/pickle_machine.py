"""The stack machine of pickles, without its dangerous instructions."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from byol_jax.interop import inert

# Longer texts are bytes in disguise: names of parameters have about 60 letters.
_MAX_TEXT = 1000


class Machine:
  """Follows the instructions that build data."""

  def __init__(
    self, functions: Mapping[tuple[str, str], inert.Function], max_bytes: int
  ):
    """Begins with nothing.

    Args:
      functions: those that the pickle may name, by module and name.
      max_bytes: in all bytes and arrays together that calls may make.
    """
    self._functions = functions
    self._bytes_left = max_bytes
    self._stack: list[Any] = []
    self._below: list[list[Any]] = []  # Stacks under the marks.
    self._memo: dict[int, Any] = {}

  def follow(self, instruction: str, argument: Any) -> None:
    """Does one instruction.

    Args:
      instruction: its name in `pickletools`.
      argument: of a type that the instruction fixes.

    Raises:
      PickleError: it is refused.
      LookupError: there is nothing on the stack that it needs.
      UnicodeError: a long text is none of bytes.
    """
    if instruction in _LITERALS:
      self._stack.append(argument)
    elif instruction in _CONSTANTS:
      self._stack.append(_CONSTANTS[instruction]())
    elif instruction in _TEXTS:
      self._stack.append(_text(argument))
    elif instruction in _OTHERS:
      _OTHERS[instruction](self, argument)
    elif instruction not in ("PROTO", "FRAME", "STOP"):
      raise inert.refused(f"uses the instruction {instruction}")

  def result(self) -> Any:
    """What is left in the end.

    Raises:
      PickleError: nothing, or more than one value.
    """
    if len(self._stack) != 1 or self._below:
      raise inert.PickleError("is damaged: it does not end with one value")
    return self._stack[0]

  def _mark(self, _) -> None:
    self._below.append(self._stack)
    self._stack = []

  def _pop(self, _) -> None:
    self._stack.pop()

  def _pop_mark(self, _) -> list[Any]:
    """What lies above the newest mark."""
    items, self._stack = self._stack, self._below.pop()
    return items

  def _put(self, number: int | None) -> None:
    number = len(self._memo) if number is None else number
    self._memo[number] = self._stack[-1]

  def _get(self, number: int) -> None:
    self._stack.append(self._memo[number])

  def _tuple_of(self, count: int | None) -> None:
    if count is None:
      made = tuple(self._pop_mark(None))
    else:
      made = tuple(self._stack.pop() for _ in range(count))[::-1]
    self._stack.append(made)

  def _list_of_marked(self, _) -> None:
    made = self._pop_mark(None)
    self._stack.append(made)

  def _dict_of_marked(self, _) -> None:
    items = self._pop_mark(None)
    self._stack.append({})
    self._set(items)

  def _append(self, _) -> None:
    self._extend([self._stack.pop()])

  def _appends(self, _) -> None:
    self._extend(self._pop_mark(None))

  def _set_item(self, _) -> None:
    value, key = self._stack.pop(), self._stack.pop()
    self._set([key, value])

  def _set_items(self, _) -> None:
    self._set(self._pop_mark(None))

  def _function(self, pair: str | None) -> None:
    """Pushes one of the table."""
    if pair is None:
      name, module = self._stack.pop(), self._stack.pop()
    else:
      module, _, name = pair.partition(" ")
    known = isinstance(module, str) and isinstance(name, str)
    if not known or (module, name) not in self._functions:
      raise inert.refused(f"names {inert.shown(module)}.{inert.shown(name)}")
    self._stack.append(self._functions[module, name])

  def _call(self, _) -> None:
    arguments, function = self._stack.pop(), self._stack.pop()
    if not isinstance(function, inert.Function) or type(arguments) is not tuple:
      raise inert.refused("calls what is no function")
    self._stack.append(self._counted(function.call(arguments)))

  def _build(self, _) -> None:
    state, target = self._stack.pop(), self._stack[-1]
    if not isinstance(target, inert.Unbuilt) or target.build is None:
      raise inert.refused("gives a state to what takes none")
    target.value, target.build = self._counted(target.build(state)), None

  def _counted(self, made: Any) -> Any:
    """What a call made, if all of them have not made too much.

    One text of the file can be made an array any number of times.
    """
    if isinstance(made, bytes | np.ndarray):
      self._bytes_left -= memoryview(made).nbytes
    if self._bytes_left < 0:
      raise inert.refused("makes more arrays than it has bytes for")
    return made

  def _extend(self, items: list[Any]) -> None:
    target = self._stack[-1]
    if type(target) is not list:
      raise inert.PickleError(
        "is damaged: it appends to something that is no list"
      )
    target.extend(items)

  def _set(self, items: list[Any]) -> None:
    target, keys = self._stack[-1], items[::2]
    if type(target) is not dict or len(items) % 2:
      raise inert.PickleError("is damaged: it fills something that is no dict")
    if not all(type(key) is str for key in keys):
      raise inert.PickleError("has a dict whose keys are not texts")
    target.update(zip(keys, items[1::2], strict=True))


def _text(value: str) -> str | inert.Packed:
  """A text; a long one takes a quarter less memory as the bytes that it is."""
  return (
    value if len(value) <= _MAX_TEXT else inert.Packed(value.encode("latin1"))
  )


_TEXTS = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"}
_LITERALS = {
  *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
  *("FLOAT", "BINFLOAT"),
  *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_CONSTANTS = {
  "NONE": lambda: None,
  "NEWTRUE": lambda: True,
  "NEWFALSE": lambda: False,
  "EMPTY_TUPLE": tuple,
  "EMPTY_LIST": list,
  "EMPTY_DICT": dict,
}
_OTHERS = {
  "MARK": Machine._mark,
  "POP": Machine._pop,
  "POP_MARK": Machine._pop_mark,
  "PUT": Machine._put,
  "BINPUT": Machine._put,
  "LONG_BINPUT": Machine._put,
  "MEMOIZE": Machine._put,
  "GET": Machine._get,
  "BINGET": Machine._get,
  "LONG_BINGET": Machine._get,
  "TUPLE": Machine._tuple_of,
  "TUPLE1": lambda machine, _: machine._tuple_of(1),
  "TUPLE2": lambda machine, _: machine._tuple_of(2),
  "TUPLE3": lambda machine, _: machine._tuple_of(3),
  "LIST": Machine._list_of_marked,
  "DICT": Machine._dict_of_marked,
  "APPEND": Machine._append,
  "APPENDS": Machine._appends,
  "SETITEM": Machine._set_item,
  "SETITEMS": Machine._set_items,
  "GLOBAL": Machine._function,
  "STACK_GLOBAL": Machine._function,
  "REDUCE": Machine._call,
  "NEWOBJ": Machine._call,
  "BUILD": Machine._build,
}
