"""Refuses pictures by the number of their objects, before any work."""

import numpy as np

from byol_jax.data import annotated, problems


def check_room(source: annotated.AnnotatedSource, max_boxes: int) -> None:
  """Checks that every picture's objects find room.

  Args:
    source: pictures with boxes.
    max_boxes: of a picture.

  Raises:
    ValueError: naming the picture with the most.
  """
  numbers = [len(difficult) for difficult in source.difficult]
  most = max(numbers, default=0)
  if most > max_boxes:
    name = problems.printable(source.name(int(np.argmax(numbers))))
    raise ValueError(
      f"{name} has {most} boxes, the most of any picture, and"
      f" detection.max_boxes={max_boxes} has no room for them."
    )


def check_some(source: annotated.AnnotatedSource, place: str, use: str) -> None:
  """Checks that a part can be trained on or scored.

  Args:
    source: any; one of masks or depth passes.
    place: where its pictures come from, for the message.
    use: what needs an object, for the message.

  Raises:
    ValueError: it has boxes of which none counts.
  """
  if source.difficult and all(x.all() for x in source.difficult):
    raise ValueError(
      f"None of the {source.num_images} pictures of {place} has an object that"
      f" is not difficult, and {use} needs one."
    )


def total(source: annotated.AnnotatedSource) -> int | None:
  """Objects of a part, difficult ones included; None where it is not known."""
  return sum(map(len, source.difficult)) if source.difficult else None
