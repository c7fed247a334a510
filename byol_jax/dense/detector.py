"""Faster R-CNN on an encoder, from pictures to losses or detections, pure.

Trunk, proposals, RoIAlign, the encoder's last group on each box, its mean, then
classes and displacements (the R50-C4 of arXiv 1512.03385, appendix A). All
shapes are fixed by settings and the size of the padded pictures.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from byol_jax.detection import (
  anchors,
  boxes,
  losses,
  matching,
  pooling,
  selection,
)
from byol_jax.networks import dense, faster_rcnn, network
from byol_jax.types import Batch, Metrics

# Overlaps of anchors and of proposals with an object (arXiv 1506.01497, section
# 3.1.2; arXiv 1504.08083, section 2.3, with all background from 0).
_ANCHOR_THRESHOLDS = (0.3, 0.7)
_PROPOSAL_THRESHOLDS = (0.5, 0.5)
_ANCHOR_SHARE = 0.5


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
    compute_dtype: of the maps.
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


def make_network(
  spec: network.EncoderSpec, settings: Settings, axis_name: str
) -> dense.Functions:
  """Builds the detector.

  Args:
    spec: shape of the encoder.
    settings: of all the rest.
    axis_name: mapped axis over which batch statistics are averaged.

  Returns:
    Functions of batches with `images` [batch, side, side, 3] uint8 and `size`
    [batch, 2], and where they have `keys` also with `boxes`, `classes` and
    `present`. Outputs are `Anchored`, what the box head looked at, an
    `Examples` with such keys and else `selection.Proposals`, `Judged` and,
    with keys, [batch] the share of objects that proposals find.
  """

  def forward(batch, modes):
    parts = dense.backbone(
      spec, axis_name, compute_dtype=settings.compute_dtype
    )
    features = parts.trunk(_filled(batch, spec), modes.trunk)
    anchored = _anchored(batch, features, settings)
    training = "keys" in batch
    proposals = _proposals(anchored, batch, settings, training)
    seen, recall = proposals, ()
    if training:
      recall = jax.vmap(_recall)(
        proposals, batch["boxes"], batch["present"]
      )
      seen = _examples(proposals, batch, settings)
      proposals = seen.proposals
    stride = batch["images"].shape[1] // features.shape[1]
    cut = jax.vmap(
      lambda x, at: pooling.align(
        x, at, settings.pool_size, settings.pool_samples
      )
    )(features, proposals.boxes / stride)
    flat = cut.reshape(-1, *cut.shape[2:])
    last = parts.last_group(flat, modes.last_group)
    pooled = jnp.mean(last, axis=(1, 2), dtype=jnp.float32)
    head = faster_rcnn.BoxHead(settings.num_classes)
    judged = Judged(*head(pooled.reshape(*cut.shape[:2], -1)))
    return anchored, seen, judged, recall

  return dense.functions(forward)


def total_loss(
  outputs: tuple[Anchored, Examples, Judged, chex.Array],
  batch: Batch,
  settings: Settings,
) -> tuple[chex.Array, Metrics]:
  """The sum of the four losses, averaged over the pictures.

  Args:
    outputs: of the network, of a batch with `keys`.
    batch: the same.
    settings: of the network.

  Returns:
    The loss, and its parts and the recall of the proposals by name.
  """
  anchored, examples, judged, recall = outputs
  anchor_losses = jax.vmap(
    lambda inside, objectness, displacements, row: _anchor_losses(
      Anchored(anchored.boxes, inside, objectness, displacements), row, settings
    )
  )(*anchored[1:], _truth(batch))
  box_losses = jax.vmap(losses.head_losses)(
    *judged, examples.wanted, examples.labels, examples.proposals.valid
  )
  names = ("objectness", "anchors", "classes", "boxes")
  parts = {
    f"loss_{name}": jnp.mean(loss)
    for name, loss in zip(names, (*anchor_losses, *box_losses), strict=True)
  }
  logs = {**parts, "proposal_recall": jnp.mean(recall)}
  return sum(parts.values()), logs


def detections(
  outputs: tuple[Anchored, selection.Proposals, Judged, tuple],
  batch: Batch,
  settings: Settings,
) -> selection.Detections:
  """What is found in each picture.

  Args:
    outputs: of the network, of a batch without `keys`.
    batch: the same.
    settings: of the network.

  Returns:
    Detections of a batch, in pixels of the scaled pictures.
  """
  _, proposals, judged, _ = outputs
  chosen = (settings.detections, settings.lowest_score)
  return jax.vmap(
    lambda *one: selection.detect(*one, chosen)
  )(*judged, proposals, batch["size"])


def _filled(batch: Batch, spec: network.EncoderSpec) -> chex.Array:
  """Pictures in [0, 1], padded with the mean colour, which says nothing."""
  images = batch["images"].astype(jnp.float32) / 255.0
  inside = jnp.stack(
    jnp.meshgrid(*map(jnp.arange, images.shape[1:3]), indexing="ij"), axis=-1
  )
  inside = jnp.all(inside[None] < batch["size"][:, None, None], axis=-1)
  mean = jnp.reshape(jnp.array(spec.mean_rgb), (1, 1, 1, 3))
  return jnp.where(inside[..., None], images, mean)


def _anchored(batch: Batch, features, settings: Settings) -> Anchored:
  """Every anchor of a map, and what is said of it."""
  stride = batch["images"].shape[1] // features.shape[1]
  grid = jnp.array(
    anchors.grid(settings.shapes, features.shape[1:3], stride)
  )
  centres = 0.5 * (grid[:, :2] + grid[:, 2:])
  inside = jnp.all(centres[None] < batch["size"][:, None], axis=-1)
  head = faster_rcnn.ProposalHead(
    settings.channels, anchors.count(settings.shapes)
  )
  objectness, displacements = head(features)
  return Anchored(grid, inside, objectness, displacements)


def _proposals(
  anchored: Anchored, batch: Batch, settings: Settings, training: bool
) -> selection.Proposals:
  """The best boxes of each picture."""
  chosen = settings.train_proposals if training else settings.test_proposals
  objectness = jnp.where(anchored.inside, anchored.objectness, -jnp.inf)
  return jax.vmap(
    lambda logits, displacements, size: selection.propose(
      logits, displacements, anchored.boxes, size, chosen
    )
  )(objectness, anchored.displacements, batch["size"])


def _truth(batch: Batch) -> Batch:
  return {
    name: batch[name] for name in ("boxes", "classes", "present", "keys")
  }


def _examples(
  proposals: selection.Proposals, batch: Batch, settings: Settings
) -> Examples:
  """Proposals and the objects themselves, sampled and labelled."""

  def choose(proposals, row):
    candidates = jnp.concatenate([proposals.boxes, row["boxes"]])
    valid = jnp.concatenate([proposals.valid, row["present"]])
    found = matching.match(
      candidates, row["boxes"], row["present"], _PROPOSAL_THRESHOLDS, False
    )
    found = found._replace(
      positive=found.positive & valid, negative=found.negative & valid
    )
    key = jax.random.fold_in(row["keys"], 1)
    taken = matching.sample(
      key, found, settings.num_boxes, settings.object_share
    )
    chosen, owner = candidates[taken.index], found.truth[taken.index]
    labels = jnp.where(taken.positive, 1 + row["classes"][owner], 0)
    wanted = selection.head_targets(row["boxes"][owner], chosen)
    return Examples(
      selection.Proposals(chosen, taken.valid), labels, wanted
    )

  return jax.vmap(choose)(proposals, _truth(batch))


def _anchor_losses(one: Anchored, row: Batch, settings: Settings):
  """Both losses of one picture's anchors."""
  found = matching.match(
    one.boxes, row["boxes"], row["present"], _ANCHOR_THRESHOLDS, True
  )
  found = found._replace(
    positive=found.positive & one.inside, negative=found.negative & one.inside
  )
  key = jax.random.fold_in(row["keys"], 0)
  taken = matching.sample(key, found, settings.num_anchors, _ANCHOR_SHARE)
  truth = row["boxes"][found.truth[taken.index]]
  return losses.proposal_losses(
    one.objectness[taken.index],
    one.displacements[taken.index],
    boxes.encode(truth, one.boxes[taken.index]),
    taken.positive,
    taken.valid,
  )


def _recall(proposals: selection.Proposals, truth, present):
  """Share of one picture's objects that a proposal overlaps by half."""
  overlaps = boxes.overlap(truth, proposals.boxes)
  overlaps = jnp.where(proposals.valid[None], overlaps, 0.0)
  found = present & (jnp.max(overlaps, axis=1) >= _PROPOSAL_THRESHOLDS[1])
  return jnp.sum(found) / jnp.maximum(jnp.sum(present), 1)
