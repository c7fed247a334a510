"""What is said of pictures and labels that cannot be used."""

import numpy as np

from byol_jax.data import sources


class DataError(ValueError):
  """Data that is not there, or does not fit, said in one sentence."""


def title(source: sources.Source, position: int) -> str:
  """What a message calls a picture.

  Args:
    source: any.
    position: in [0, size); of a stream the place in its order.
  """
  if isinstance(source, sources.EncodedSource):
    return printable(source.name(position))
  return f"picture {position}"


def unreadable(source: sources.Source, position: int, reason: str) -> str:
  """The sentence about a picture that cannot be decoded.

  Args:
    source: any.
    position: as in `title`.
    reason: in a few words.
  """
  hint = ""
  if isinstance(source, sources.EncodedSource):
    hint = "; data.corrupt=skip leaves such files of your own out"
  return f"{title(source, position)} cannot be decoded ({reason}){hint}."


def printable(name: str) -> str:
  """A file's name as one line of text.

  A name may hold line ends, what terminals take for commands, and bytes that
  are no UTF-8: all of them are escaped, as in Python.
  """
  return name if name.isprintable() else ascii(name)


def check_labels(labels: np.ndarray, class_names: tuple[str, ...]) -> None:
  """Refuses labels that are no class.

  Args:
    labels: [n] int32 in [0, classes); several labels a picture are not checked.
    class_names: of all classes.

  Raises:
    ValueError: one is out of range.
  """
  if labels.ndim != 1 or not labels.size:
    return
  low, high = labels.min(), labels.max()
  if low < 0 or high >= len(class_names):
    raise ValueError(
      f"a picture has the label {low if low < 0 else high}, and"
      f" {len(class_names)} classes have the labels from 0 on: if this split"
      " hides its labels, name another one, or pretrain with"
      " data.labelled=False."
    )
