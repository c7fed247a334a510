"""What a detector is made by, and what it says."""

from typing import NamedTuple

import chex

from byol_jax.detection import anchors, selection


class Settings(NamedTuple):
  """Everything that shapes a detector beside its encoder.

  Attributes:
    num_classes: without background.
    shapes: of the anchors.
    channels: of the proposals' convolution.
    train_proposals: what the box head learns from.
    test_proposals: what it looks at.
    detections: what remains of its answers.
    lowest_score: of a detection.
    pool_size: rows and columns that a box is cut to, before the last group.
    pool_samples: of RoIAlign, along each axis of a cell.
    num_anchors: trained on, of each picture.
    num_boxes: trained on by the box head, of each picture.
    object_share: of those, at most, that are objects.
    compute_dtype: of the maps while training; else they are float32.
  """

  num_classes: int
  shapes: anchors.Shapes
  channels: int
  train_proposals: selection.Filter
  test_proposals: selection.Filter
  detections: selection.Filter
  lowest_score: float
  pool_size: int
  pool_samples: int
  num_anchors: int
  num_boxes: int
  object_share: float
  compute_dtype: str


class Anchored(NamedTuple):
  """What is said of the anchors of a batch.

  Attributes:
    boxes: [n, 4], the same in all pictures.
    inside: [batch, n] bool, whether an anchor's centre is in the picture.
    objectness: [batch, n] logits.
    displacements: [batch, n, 4].
  """

  boxes: chex.Array
  inside: chex.Array
  objectness: chex.Array
  displacements: chex.Array


class Examples(NamedTuple):
  """Proposals that the box head learns from.

  Attributes:
    proposals: `selection.Proposals` of [batch, m].
    labels: [batch, m] int32, 0 for background, else 1 + class.
    wanted: [batch, m, 4] displacements of those with an object.
  """

  proposals: selection.Proposals
  labels: chex.Array
  wanted: chex.Array


class Judged(NamedTuple):
  """What the box head says of proposals.

  Attributes:
    logits: [batch, m, 1 + classes].
    displacements: [batch, m, classes, 4].
  """

  logits: chex.Array
  displacements: chex.Array


# What the network says while it is trained, and when it is used.
Trained = tuple[Anchored, Examples, Judged, chex.Array]
Used = tuple[Anchored, selection.Proposals, Judged, tuple[()]]
