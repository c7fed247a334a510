"""How the programs end: exit codes, and one sentence that says why."""

import contextlib
import os
import sys
import traceback
from typing import NoReturn

# Nothing was begun: a flag, a setting or the data is wrong.
REFUSED = 2
# The run cannot go on by itself.
FAILED = 1
# Asked to stop, and everything is saved (EX_TEMPFAIL of sysexits.h: try again).
STOPPED = 75
# What a shell gives for Ctrl-C: at once, with nothing saved.
INTERRUPTED = 130


def end(code: int, reason: str) -> NoReturn:
  """Ends the program with one line on the standard error.

  Args:
    code: one of the above.
    reason: a sentence; its line breaks become spaces.
  """
  print(line(reason), file=sys.stderr)
  sys.exit(code)


def line(reason: str) -> str:
  """A reason as the one line that a program ends with."""
  return f"byol_jax: {' '.join(reason.split())}"


def say_at_once(reason: str) -> None:
  """Says a last line from any thread; nobody may be left to read it."""
  with contextlib.suppress(OSError, ValueError):
    sys.stdout.flush()
  with contextlib.suppress(OSError, ValueError):
    os.write(sys.stderr.fileno(), f"{line(reason)}\n".encode())


def refuse(reason: str) -> NoReturn:
  """Ends the program before it has begun anything."""
  end(REFUSED, reason)


def release(error: BaseException) -> None:
  """Closes the batches that an error's traceback keeps open.

  To be called before the program ends: after that the threads of tf.data that
  wait for the interpreter are stopped, and closing would wait for them for
  ever.

  Args:
    error: as caught.
  """
  traceback.clear_frames(error.__traceback__)
