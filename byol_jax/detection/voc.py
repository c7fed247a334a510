"""Average precision of PASCAL VOC."""

from collections.abc import Sequence

import numpy as np

from byol_jax.detection import objects

# Of VOC 2007: recalls 0, 0.1, ..., 1.
_POINTS = 11
# From such an overlap on an object is found.
_OVERLAP = 0.5


def average_precision(
  found: Sequence[objects.Found],
  truth: Sequence[objects.Objects],
  num_classes: int,
) -> dict[str, float]:
  """AP50 by both rules, averaged over the classes that are there.

  The rules of the VOC development kit: detections of all pictures by falling
  score; each goes to the object of its class that it overlaps most. From half
  an overlap on the first of an object is right and the others are wrong; with a
  difficult object it does not count.

  Args:
    found: of each picture.
    truth: of each picture.
    num_classes: above every class.

  Returns:
    `ap50_11`, the mean of the highest precisions at 11 recalls or above (VOC
    2007), and `ap50`, the area under all of them (VOC 2010 on).

  Raises:
    ValueError: no object that is not difficult, or other numbers of pictures.
  """
  curves = _curves(found, truth, num_classes).values()
  return {
    "ap50": float(np.mean([_all_points(*curve) for curve in curves])),
    "ap50_11": float(np.mean([_eleven_points(*curve) for curve in curves])),
  }


def class_precisions(
  found: Sequence[objects.Found],
  truth: Sequence[objects.Objects],
  num_classes: int,
) -> dict[int, float]:
  """The `ap50` of each class that is there, by its number.

  Arguments and errors are those of `average_precision`.
  """
  curves = _curves(found, truth, num_classes)
  return {number: _all_points(*curve) for number, curve in curves.items()}


def _curves(found, truth, num_classes: int) -> dict[int, tuple]:
  """Of each class that is there: which detections are right, and its number."""
  if len(found) != len(truth):
    raise ValueError(
      f"detections of {len(found)} pictures, and objects of {len(truth)}."
    )
  present = np.zeros(num_classes, np.int64)
  for there in truth:
    np.add.at(present, there.classes[~there.difficult], 1)
  if not present.any():
    raise ValueError("average precision needs an object; there is none.")
  return {
    int(number): (_right(found, truth, number), present[number])
    for number in np.flatnonzero(present)
  }


def overlaps(one: np.ndarray, other: np.ndarray) -> np.ndarray:
  """Intersection over union of every pair, in float64.

  Args:
    one: [n, 4].
    other: [m, 4].

  Returns:
    [n, m] in [0, 1].
  """
  one, other = one.astype(np.float64), other.astype(np.float64)
  low = np.maximum(one[:, None, :2], other[None, :, :2])
  high = np.minimum(one[:, None, 2:], other[None, :, 2:])
  both = np.prod(np.maximum(high - low, 0.0), axis=-1)
  areas = [np.prod(x[:, 2:] - x[:, :2], axis=-1) for x in (one, other)]
  either = areas[0][:, None] + areas[1][None, :] - both
  return both / np.maximum(either, np.finfo(np.float64).tiny)


def _right(found, truth, number: int) -> np.ndarray:
  """[n] 1 right, 0 wrong, -1 not counted: of one class by falling score."""
  marks, scores = [], []
  for detections, there in zip(found, truth, strict=True):
    own = detections.classes == number
    order = np.argsort(-detections.scores[own], kind="stable")
    scores.append(detections.scores[own][order])
    mine = there.classes == number
    marks.append(
      _judge(
        detections.boxes[own][order],
        there.boxes[mine],
        there.difficult[mine],
      )
    )
  order = np.argsort(-np.concatenate(scores), kind="stable")
  return np.concatenate(marks)[order]


def _judge(boxes, truth, difficult) -> np.ndarray:
  """One picture's detections of a class, the best first."""
  marks = np.zeros(len(boxes), np.int64)
  if not len(truth):
    return marks
  taken = np.zeros(len(truth), bool)
  for place, shares in enumerate(overlaps(boxes, truth)):
    nearest = int(np.argmax(shares))
    if shares[nearest] < _OVERLAP:
      continue
    if difficult[nearest]:
      marks[place] = -1
    elif not taken[nearest]:
      marks[place] = 1
      taken[nearest] = True
  return marks


def _curve(marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Objects found and the precision after each detection that counts."""
  counted = marks[marks >= 0]
  hits = np.cumsum(counted)
  return hits, hits / np.arange(1, len(hits) + 1)


def _eleven_points(marks: np.ndarray, present: int) -> float:
  hits, precision = _curve(marks)
  # In integers, since 0.3 of ten objects are three, which floats may deny.
  best = [
    np.max(precision[hits * (_POINTS - 1) >= point * present], initial=0.0)
    for point in range(_POINTS)
  ]
  return float(np.mean(best))


def _all_points(marks: np.ndarray, present: int) -> float:
  hits, precision = _curve(marks)
  best = np.maximum.accumulate(precision[::-1])[::-1]
  return float(np.sum(best * np.diff(hits, prepend=0)) / present)
