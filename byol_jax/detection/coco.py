"""Mean average precision of COCO, by its own program."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from byol_jax.detection import objects


def mean_average_precision(
  found: Sequence[objects.Found],
  truth: Sequence[objects.Objects],
  sizes: Sequence[tuple[int, int]],
  class_names: Sequence[str],
) -> dict[str, float]:
  """COCO's mAP, by pycocotools.

  Args:
    found: of each picture, the best first; COCO counts 100 a picture.
    truth: of each picture.
    sizes: height and width of each.
    class_names: of all classes.

  Returns:
    `map` over overlaps 0.5, 0.55, ..., 0.95, and `map50`, `map75`; of no
    object -1, as pycocotools has it.
  """
  # Needed for this alone; its programs print what they do.
  from pycocotools import coco as api
  from pycocotools import cocoeval

  with contextlib.redirect_stdout(io.StringIO()):
    annotated = api.COCO()
    annotated.dataset = _as_coco(truth, sizes, class_names)
    annotated.createIndex()
    rows = _rows(found)
    # An empty array has no detections, which loadRes cannot tell of a list.
    detected = annotated.loadRes(rows) if len(rows) else api.COCO()
    judged = cocoeval.COCOeval(annotated, detected, "bbox")
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
  names = ("map", "map50", "map75")
  return dict(zip(names, map(float, judged.stats[:3]), strict=True))


def _as_coco(truth, sizes, class_names) -> dict[str, Any]:
  """The objects in COCO's form."""
  images = [
    {"id": 1 + number, "height": int(height), "width": int(width)}
    for number, (height, width) in enumerate(sizes)
  ]
  annotations = [
    {
      "image_id": 1 + number,
      "category_id": 1 + int(label),
      "bbox": _x_y_width_height(box),
      "area": float(np.prod(box[2:] - box[:2])),
      "iscrowd": int(crowd),
    }
    for number, picture in enumerate(truth)
    for box, label, crowd in zip(*picture, strict=True)
  ]
  return {
    "info": {},
    "images": images,
    "annotations": [{"id": 1 + i, **x} for i, x in enumerate(annotations)],
    "categories": [
      {"id": 1 + number, "name": name}
      for number, name in enumerate(class_names)
    ],
  }


def _rows(found: Sequence[objects.Found]) -> np.ndarray:
  """[n, 7] picture, x, y, width, height, score and class."""
  rows = [
    (1 + number, *_x_y_width_height(box), float(score), 1 + int(label))
    for number, picture in enumerate(found)
    for box, label, score in zip(*picture, strict=True)
  ]
  return np.array(rows, np.float64).reshape(-1, 7)


def _x_y_width_height(box: np.ndarray) -> list[float]:
  top, left, bottom, right = map(float, box)
  return [left, top, right - left, bottom - top]
