"""Pictures with boxes in files of their own beside them."""

from collections.abc import Callable

import numpy as np

from byol_jax.data import annotated, pairing, problems
from byol_jax.detection import objects

# Fractions are written with few digits.
_SLACK_PX = 1.5


def source(
  pairs: pairing.Pairs,
  class_names: tuple[str, ...],
  objects_of: Callable[[int, tuple[int, int]], objects.Objects],
) -> annotated.AnnotatedSource:
  """A source whose targets are `objects.Objects`.

  Args:
    pairs: of which the pictures are read.
    class_names: of all classes.
    objects_of: position, and height and width of the picture, to its boxes.

  Returns:
    The source; its `read` raises ValueError over a picture that cannot be
    decoded or is to be turned, and a box that reaches out of it.
  """

  def read(position):
    name = pairs.names[position].image
    image = annotated.decoded_picture(pairing.read(pairs, name), name)
    there = objects_of(position, image.shape[:2])
    return image, checked(there, image.shape[:2], name)

  return annotated.AnnotatedSource(
    num_images=len(pairs.names),
    class_names=class_names,
    read=read,
    name=lambda position: pairs.names[position].image,
    fingerprint=pairing.fingerprints(pairs),
    # Whatever the size of the picture.
    difficult=[
      objects_of(position, (1, 1)).difficult
      for position in range(len(pairs.names))
    ],
  )


def checked(
  found: objects.Objects, shape: tuple[int, int], name: str
) -> objects.Objects:
  """Boxes cut to their picture, if they lie in it.

  Args:
    found: in pixels.
    shape: height and width of the picture.
    name: of the picture, for messages.

  Returns:
    The same with float32 boxes.

  Raises:
    ValueError: a box reaches out of the picture, or has no inside.
  """
  limits = np.array([*shape, *shape], np.float64)
  boxes = np.clip(found.boxes, 0.0, limits)
  # NaN is not within any reach.
  inside = np.all(np.abs(boxes - found.boxes) <= _SLACK_PX, axis=1)
  solid = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
  wrong = np.flatnonzero(~(inside & solid))
  if wrong.size:
    reason = "has no inside" if inside[wrong[0]] else "reaches out of it"
    corners = ", ".join(f"{x:.1f}" for x in found.boxes[wrong[0]])
    raise ValueError(
      f"{problems.printable(name)} has {shape[1]}x{shape[0]} pixels, and a box"
      f" {reason}: its ymin, xmin, ymax, xmax are {corners}."
    )
  return found._replace(boxes=boxes.astype(np.float32))
