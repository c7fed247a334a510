"""From scores of anchors to proposals, and from those to detections."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from byol_jax.detection import boxes as boxes_lib
from byol_jax.detection import suppression

# Displacements of the box head are learned in these units (arXiv 1506.01497,
# released code), so that both of its losses are of one size.
HEAD_UNITS = (0.1, 0.1, 0.2, 0.2)
# A proposal smaller than a pixel has nothing to be seen in it.
_MIN_PX = 1.0


class Filter(NamedTuple):
  """What becomes a proposal, or a detection.

  Attributes:
    candidates: best-scored boxes that are looked at.
    threshold: overlap above which the better box drops the other.
    num: boxes that are kept, at most.
  """

  candidates: int
  threshold: float
  num: int


class Proposals(NamedTuple):
  """Where something may be.

  Attributes:
    boxes: [num, 4] by falling score; 0 where there is none.
    valid: [num] bool.
  """

  boxes: chex.Array
  valid: chex.Array


class Detections(NamedTuple):
  """What is where.

  Attributes:
    boxes: [num, 4] by falling score.
    classes: [num] int32, from 0.
    scores: [num] in [0, 1]; 0 where there is none.
  """

  boxes: chex.Array
  classes: chex.Array
  scores: chex.Array


def propose(
  objectness: chex.Array,
  displacements: chex.Array,
  anchors: chex.Array,
  size: chex.Array,
  settings: Filter,
) -> Proposals:
  """The best boxes of one picture; no gradient goes through them.

  Args:
    objectness: [n] logits.
    displacements: [n, 4].
    anchors: [n, 4].
    size: [2] height and width of the picture within its padding.
    settings: how many.

  Returns:
    `Proposals` of `settings.num`.
  """
  num = min(settings.candidates, len(objectness))
  scores, index = jax.lax.top_k(jax.lax.stop_gradient(objectness), num)
  displacements = jax.lax.stop_gradient(displacements)[index]
  boxes = boxes_lib.clip(boxes_lib.decode(displacements, anchors[index]), size)
  large = jnp.min(boxes[:, 2:] - boxes[:, :2], axis=1) >= _MIN_PX
  kept = suppression.suppress(
    boxes,
    jnp.where(large, scores, -jnp.inf),
    jnp.zeros(num, jnp.int32),
    settings.threshold,
    settings.num,
  )
  boxes = jnp.where(kept.valid[:, None], boxes[kept.index], 0.0)
  return Proposals(boxes, kept.valid)


def detect(
  logits: chex.Array,
  displacements: chex.Array,
  proposals: Proposals,
  size: chex.Array,
  settings: tuple[Filter, float],
) -> Detections:
  """What the box head says of the proposals of one picture.

  Args:
    logits: [n, 1 + classes], background first.
    displacements: [n, classes, 4] in `HEAD_UNITS`.
    proposals: of n.
    size: [2] height and width of the picture within its padding.
    settings: how many, and the lowest score that counts.

  Returns:
    `Detections` of `num`; boxes drop others of their class only.
  """
  chosen, lowest = settings
  classes = logits.shape[1] - 1
  scores = jax.nn.softmax(logits)[:, 1:] * proposals.valid[:, None]
  scores, index = jax.lax.top_k(
    scores.reshape(-1), min(chosen.candidates, scores.size)
  )
  rows, labels = index // classes, (index % classes).astype(jnp.int32)
  boxes = boxes_lib.clip(
    in_head_units(displacements[rows, labels], proposals.boxes[rows]), size
  )
  kept = suppression.suppress(
    boxes,
    jnp.where(scores > lowest, scores, -jnp.inf),
    labels,
    chosen.threshold,
    chosen.num,
  )
  return Detections(
    boxes[kept.index],
    labels[kept.index],
    jnp.where(kept.valid, scores[kept.index], 0.0),
  )


def in_head_units(displacements: chex.Array, boxes: chex.Array) -> chex.Array:
  """Boxes [n, 4] displaced by what the box head says, [n, 4]."""
  return boxes_lib.decode(displacements * _units(displacements), boxes)


def head_targets(truth: chex.Array, boxes: chex.Array) -> chex.Array:
  """What the box head is to say, [n, 4], for `boxes` to become `truth`."""
  wanted = boxes_lib.encode(truth, boxes)
  return wanted / _units(wanted)


def _units(like):
  return jnp.reshape(jnp.array(HEAD_UNITS), (1,) * (like.ndim - 1) + (4,))
