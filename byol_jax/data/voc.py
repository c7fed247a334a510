"""Boxes in the layout of PASCAL VOC: an XML file for each picture."""

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from byol_jax.data import annotated, boxes, pairing, problems
from byol_jax.detection import objects

_CORNERS = ("ymin", "xmin", "ymax", "xmax")


class _Annotation(NamedTuple):
  """What one file says, classes by name."""

  names: tuple[str, ...]
  boxes: np.ndarray
  difficult: np.ndarray


def open_voc(
  place: pairing.Place, class_names: Sequence[str] = ()
) -> annotated.AnnotatedSource:
  """Opens pictures with an XML file each.

  Corners are pixel numbers from 1 on, both inside the object. Parts of objects
  (hands, heads) are left out.

  Args:
    place: where they lie, such as JPEGImages, Annotations and the list
      ImageSets/Main/trainval.txt below VOCdevkit/VOC2007.
    class_names: the classes of another part, which fix the numbering; empty
      numbers those found here by name.

  Returns:
    Pictures with `objects.Objects`.

  Raises:
    ValueError: a folder, the list or a file is missing, or a file is no
      annotation or names an unknown class; by `read`, as `boxes.source`.
  """
  pairs = pairing.open_pairs(place, (".xml",))
  parsed = [_parse(pairs, pair.target) for pair in pairs.names]
  names = _numbered(parsed, tuple(class_names), place.path)
  number = {name: label for label, name in enumerate(names)}

  def objects_of(position, shape):
    del shape
    row = parsed[position]
    labels = np.array([number[name] for name in row.names], np.int32)
    return objects.Objects(row.boxes, labels, row.difficult)

  return boxes.source(pairs, names, objects_of)


def _numbered(
  parsed: Sequence[_Annotation], known: tuple[str, ...], path: str
) -> tuple[str, ...]:
  """The classes in order."""
  seen = sorted({name for row in parsed for name in row.names})
  unknown = sorted(set(seen) - set(known))
  if known and unknown:
    raise ValueError(
      f"{path!r} has an object of the class {unknown[0]!r}, which the training"
      f" part does not have: its classes are {', '.join(known)}."
    )
  if not seen:
    raise ValueError(f"the annotations in {path!r} name no object.")
  return known or tuple(seen)


def _parse(pairs: pairing.Pairs, name: str) -> _Annotation:
  try:
    found = ElementTree.fromstring(pairs.found.read(name, None))
    return _annotation(found.findall("object"))
  except (OSError, ElementTree.ParseError, ValueError) as error:
    raise ValueError(
      f"{problems.printable(name)} is no annotation of PASCAL VOC ({error})."
    ) from error


def _annotation(found: Sequence[ElementTree.Element]) -> _Annotation:
  corners = [
    [float(_field(x, f"bndbox/{corner}")) for corner in _CORNERS] for x in found
  ]
  difficult = [x.findtext("difficult", "0").strip() == "1" for x in found]
  # From corners inside, counted from 1, to edges counted from 0.
  edges = np.array(corners).reshape(-1, 4) - np.array([1.0, 1.0, 0.0, 0.0])
  return _Annotation(
    tuple(_field(x, "name").strip() for x in found),
    edges,
    np.array(difficult, bool),
  )


def _field(element: ElementTree.Element, path: str) -> str:
  text = element.findtext(path)
  if not text:
    raise ValueError(f"an object lacks {path}")
  return text
