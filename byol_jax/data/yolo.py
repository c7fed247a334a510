"""Boxes in the layout of YOLO: a text file for each picture."""

import json
import math
from collections.abc import Sequence

import numpy as np

from byol_jax.data import annotated, boxes, pairing, problems
from byol_jax.detection import objects

# Where the names of the classes are, by number or one a line.
_NAMES = ("box_classes.json", "classes.json", "classes.txt")
# Class, centre and sides.
_WORDS = 5


def open_yolo(place: pairing.Place) -> annotated.AnnotatedSource:
  """Opens pictures with a text file each: class x y width height, a box a line.

  Class numbers count from 0; centre and sides are fractions of the picture. A
  picture without a file has no boxes. The classes' names are those of
  box_classes.json, classes.json or classes.txt at the prefix.

  Args:
    place: where they lie, such as the folders images and boxes.

  Returns:
    Pictures with `objects.Objects`.

  Raises:
    ValueError: a folder, the list or the names are missing, or a line is no
      box; by `read`, as `boxes.source`.
  """
  pairs = pairing.open_pairs(place, (".txt",), needed=False)
  names = _class_names(pairs, place)
  rows = [_parse(pairs, pair.target, len(names)) for pair in pairs.names]

  def objects_of(position, shape):
    labels, x_y, sides = np.split(rows[position], (1, 3), axis=1)
    # Fractions of x and y to pixels of y and x.
    centre, half = x_y[:, ::-1] * shape, 0.5 * sides[:, ::-1] * shape
    return objects.Objects(
      np.concatenate([centre - half, centre + half], axis=1),
      labels[:, 0].astype(np.int32),
      np.zeros(len(labels), bool),
    )

  return boxes.source(pairs, names, objects_of)


def _class_names(pairs: pairing.Pairs, place: pairing.Place) -> tuple[str, ...]:
  """The names by number; a number that is left out names itself."""
  for name in _NAMES:
    if pairs.root + name in pairs.found.names:
      return _parse_names(pairs, pairs.root + name)
  raise ValueError(
    f"{place.path!r} has no names of the classes:"
    f" {' or '.join(pairs.root + name for name in _NAMES)} is needed."
  )


def _parse_names(pairs: pairing.Pairs, name: str) -> tuple[str, ...]:
  try:
    text = pairs.found.read(name, None).decode("utf-8")
    if name.endswith(".txt"):
      return tuple(line.strip() for line in text.splitlines() if line.strip())
    listed = json.loads(text)
    if isinstance(listed, dict):
      numbered = {int(number): text for number, text in listed.items()}
      listed = [numbered.get(i, str(i)) for i in range(1 + max(numbered))]
    return tuple(map(str, listed))
  except (OSError, ValueError, TypeError) as error:
    raise ValueError(
      f"{problems.printable(name)} does not name classes by number ({error})."
    ) from error


def _parse(pairs: pairing.Pairs, name: str, num_classes: int) -> np.ndarray:
  """[n, 5] class, x, y, width and height."""
  if not name:
    return np.zeros((0, _WORDS))
  try:
    text = pairs.found.read(name, None).decode("utf-8")
    rows = [
      _row(line.split(), num_classes)
      for line in text.splitlines()
      if line.strip()
    ]
  except (OSError, ValueError) as error:
    raise ValueError(f"{problems.printable(name)}: {error}.") from error
  return np.array(rows, np.float64).reshape(-1, _WORDS)


def _row(words: Sequence[str], num_classes: int) -> list[float]:
  """One line's numbers."""
  said = " ".join(words)
  try:
    numbers = [float(word) for word in words]
  except ValueError as error:
    raise ValueError(f"{said!r} is not five numbers") from error
  if len(numbers) != _WORDS or not all(map(math.isfinite, numbers)):
    raise ValueError(f"{said!r} is not five numbers")
  if numbers[0] not in range(num_classes):
    raise ValueError(
      f"{said!r} is of the class {words[0]}, and the named classes are 0 to"
      f" {num_classes - 1}"
    )
  return numbers
