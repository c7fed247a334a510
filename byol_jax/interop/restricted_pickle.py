"""Reads a pickle as data: nothing that it names is imported or called.

A pickle is a program: it names functions of any module and calls them, which is
what makes reading a stranger's file dangerous. `pickletools` splits it into
instructions without following them. The machine here follows those that build
data; where the program names a function, it gets one of a table of ours, and
what the table lacks ends the reading. So there is no importing to be tricked.
"""

import os
import pickletools
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from byol_jax.interop import inert, pickle_machine

# A ResNet-200's checkpoint takes about 2e5 instructions; this many take
# seconds, and what they make, besides arrays, less than 200 MB.
_MAX_INSTRUCTIONS = 1_000_000
# What calls may make of each byte of the file: bytes of a text, then an array
# of these; and what arrays may share in a small file.
_MAX_COPIES, _SHARED_BYTES = 2, 2**20
# Lines name modules and small numbers.
_MAX_LINE = 1000
# The instruction that pickles of protocol 2 or later begin with.
_FIRST = b"\x80"


def load(path: str, functions: Mapping[tuple[str, str], inert.Function]) -> Any:
  """Reads a pickle of protocol 2 or later.

  Args:
    path: of the file.
    functions: those that the pickle may name, by module and name.

  Returns:
    None, bools, numbers, str, `Packed`, bytes, tuples, lists, dicts with str as
    keys, and what `functions` return: perhaps in `Unbuilt`.

  Raises:
    PickleError: it is no pickle, is damaged, or names or does something else.
    OSError: the file cannot be read.
  """
  with open(path, "rb") as file:
    if file.read(1) != _FIRST:
      raise inert.PickleError("is not a pickle of protocol 2 or later")
    file.seek(0)
    size = os.fstat(file.fileno()).st_size
    machine = pickle_machine.Machine(
      functions, _MAX_COPIES * size + _SHARED_BYTES
    )
    try:
      for instruction, argument in _instructions(_Bounded(file)):
        machine.follow(instruction, argument)
    except inert.PickleError:
      raise
    # All that pickletools raises, and the machine where its stack is empty.
    except (ValueError, LookupError) as error:
      raise inert.PickleError(
        f"is damaged or cut off ({inert.shown(str(error))})"
      ) from error
    return machine.result()


class _Bounded:
  """A file whose reads ask for no more than there is.

  Python gives a read the memory that it asks for, before it reads.
  """

  def __init__(self, file: BinaryIO):
    self._file = file
    self._left = os.fstat(file.fileno()).st_size

  def read(self, count: int) -> bytes:
    data = self._file.read(min(count, self._left))
    self._left -= len(data)
    return data

  def readline(self) -> bytes:
    line = self._file.readline(min(_MAX_LINE, self._left))
    self._left -= len(line)
    return line


def _instructions(file: _Bounded) -> Iterator[tuple[str, Any]]:
  """Names and arguments, up to the end."""
  for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
    if count >= _MAX_INSTRUCTIONS:
      raise inert.PickleError(f"has more than {_MAX_INSTRUCTIONS} instructions")
    yield opcode.name, argument
