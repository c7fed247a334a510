"""What a detector finds in a part, and its scores: on the host."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from byol_jax import parallel, stopping
from byol_jax.dense import task as tasks
from byol_jax.detection import coco, objects, voc
from byol_jax.types import Batch

_TRUTH = ("boxes", "classes", "difficult")


class Picture(NamedTuple):
  """One picture's objects and detections, in its own pixels.

  Attributes:
    index: position in its part.
    size: height and width.
    truth: what there is.
    found: what is detected, the best first.
  """

  index: int
  size: tuple[int, int]
  truth: objects.Objects
  found: objects.Found


def pictures(
  detect: Callable[[Any, Batch], Any],
  variables: Any,
  batches: Iterable[Batch],
) -> Iterator[Picture]:
  """Looks at every picture; each host gets those of all.

  Args:
    detect: (variables, batch) to `selection.Detections`, across devices.
    variables: replicated.
    batches: of `scaling.padded` objects and `size`, `scale`, `index`, `mask`.
  """
  for batch in batches:
    stopping.check()
    placed = parallel.shard(batch)
    found = detect(variables, placed)
    there = {
      name: parallel.gather(placed[name])
      for name in (*_TRUTH, "present", "size", "scale", "index", "mask")
    }
    boxes, classes, scores = (parallel.gather(x) for x in found)
    for row in np.flatnonzero(there["mask"]):
      one = {name: values[row] for name, values in there.items()}
      yield _picture(one, (boxes[row], classes[row], scores[row]))


def scores(seen: Sequence[Picture], class_names: Sequence[str]) -> tasks.Tested:
  """AP50 by both rules of VOC and COCO's mean average precisions.

  Of each class that is there `ap50`.

  Args:
    seen: all pictures of a part.
    class_names: of all classes.

  Raises:
    ValueError: the part has no object.
  """
  found, truth = [x.found for x in seen], [x.truth for x in seen]
  sizes = [x.size for x in seen]
  precisions = voc.class_precisions(found, truth, len(class_names))
  return tasks.Tested(
    scores={
      **voc.average_precision(found, truth, len(class_names)),
      **coco.mean_average_precision(found, truth, sizes, class_names),
    },
    classes={"ap50": {class_names[i]: x for i, x in precisions.items()}},
  )


def _picture(one: Mapping[str, np.ndarray], found) -> Picture:
  """Undoes padding and scaling."""
  factors = np.concatenate([one["scale"], one["scale"]])
  boxes, classes, certain = found
  valid = certain > 0.0
  there = one["present"]
  truth = objects.Objects(*(one[name][there] for name in _TRUTH))
  size = np.rint(one["size"] / one["scale"]).astype(int)
  return Picture(
    index=int(one["index"]),
    size=(int(size[0]), int(size[1])),
    truth=truth._replace(boxes=truth.boxes / factors),
    found=objects.Found(boxes[valid] / factors, classes[valid], certain[valid]),
  )
