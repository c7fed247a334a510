"""Faster R-CNN on an encoder, from pictures to losses or detections, pure.

Trunk, proposals, RoIAlign, the encoder's last group on each box, its mean, then
classes and displacements (the R50-C4 of arXiv 1512.03385, appendix A). All
shapes are fixed by settings and the size of the padded pictures.
"""

import chex
import jax
import jax.numpy as jnp

from byol_jax.dense import detector_parts
from byol_jax.detection import (
  anchors,
  boxes,
  matching,
  pooling,
  selection,
)
from byol_jax.networks import centres, dense, faster_rcnn, network
from byol_jax.types import Batch

# Overlap of a proposal with its object; less is background (arXiv 1504.08083,
# section 2.3, but that background begins at 0).
_THRESHOLD = 0.5


def make_network(
  spec: network.EncoderSpec, settings: detector_parts.Settings, axis_name: str
) -> dense.Functions:
  """Builds the detector.

  Args:
    spec: shape of the encoder.
    settings: of all the rest.
    axis_name: mapped axis over which batch statistics are averaged.

  Returns:
    Functions of batches with `images` [batch, side, side, 3] uint8 and `size`
    [batch, 2], and where they have `keys` also with `boxes`, `classes` and
    `present`. The outputs are `Trained` with keys, the last of it [batch], the
    share of objects that proposals find, and else `Used`.
  """

  def forward(batch, modes):
    training = "keys" in batch
    dtype = settings.compute_dtype if training else "float32"
    parts = dense.backbone(spec, axis_name, compute_dtype=dtype)
    features = parts.trunk(_filled(batch, spec), modes.trunk)
    lattice = _lattice(batch, spec)
    anchored = _anchored(batch, features, lattice, settings)
    proposals = _proposals(anchored, batch, settings, training)
    seen, recall = proposals, ()
    if training:
      recall = jax.vmap(_recall)(proposals, batch["boxes"], batch["present"])
      seen = _examples(proposals, batch, settings)
      proposals = seen.proposals
    cut = _cut(features, _in_cells(proposals.boxes, lattice), settings)
    flat = cut.reshape(-1, *cut.shape[2:])
    last = parts.last_group(flat, modes.last_group)
    pooled = jnp.mean(last, axis=(1, 2), dtype=jnp.float32)
    head = faster_rcnn.BoxHead(settings.num_classes)
    judged = detector_parts.Judged(*head(pooled.reshape(*cut.shape[:2], -1)))
    return anchored, seen, judged, recall

  return dense.functions(forward)


def detections(
  outputs: detector_parts.Used,
  batch: Batch,
  settings: detector_parts.Settings,
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
  return jax.vmap(lambda *one: selection.detect(*one, chosen))(
    *judged, proposals, batch["size"]
  )


def _lattice(batch: Batch, spec: network.EncoderSpec) -> tuple[float, int]:
  """Where the first cell of the trunk's map looks, and the stride."""
  # The last group looks at boxes.
  trunk = centres.num_groups(spec, last_dilation=1) - 1
  return centres.first(spec, batch["images"].shape[1], trunk)


def _in_cells(boxes, lattice: tuple[float, int]):
  """Boxes in pixels as boxes in cells, each around where it looks."""
  place, stride = lattice
  return (boxes - (place + 0.5)) / stride + 0.5


def _cut(features, boxes_in_cells, settings: detector_parts.Settings):
  """[batch, m, size, size, channels] what lies within each box."""
  return jax.vmap(
    lambda x, at: pooling.align(
      x, at, settings.pool_size, settings.pool_samples
    )
  )(features, boxes_in_cells)


def _filled(batch: Batch, spec: network.EncoderSpec) -> chex.Array:
  """Pictures in [0, 1], padded with the mean colour, which says nothing."""
  images = batch["images"].astype(jnp.float32) / 255.0
  inside = jnp.stack(
    jnp.meshgrid(*map(jnp.arange, images.shape[1:3]), indexing="ij"), axis=-1
  )
  inside = jnp.all(inside[None] < batch["size"][:, None, None], axis=-1)
  mean = jnp.reshape(jnp.array(spec.mean_rgb), (1, 1, 1, 3))
  return jnp.where(inside[..., None], images, mean)


def _anchored(
  batch: Batch,
  features,
  lattice: tuple[float, int],
  settings: detector_parts.Settings,
) -> detector_parts.Anchored:
  """Every anchor of a map, and what is said of it."""
  grid = jnp.array(anchors.grid(settings.shapes, features.shape[1:3], *lattice))
  middles = 0.5 * (grid[:, :2] + grid[:, 2:])
  inside = jnp.all(middles[None] < batch["size"][:, None], axis=-1)
  head = faster_rcnn.ProposalHead(
    settings.channels, anchors.count(settings.shapes)
  )
  objectness, displacements = head(features)
  return detector_parts.Anchored(grid, inside, objectness, displacements)


def _proposals(
  anchored: detector_parts.Anchored,
  batch: Batch,
  settings: detector_parts.Settings,
  training: bool,
) -> selection.Proposals:
  """The best boxes of each picture."""
  chosen = settings.train_proposals if training else settings.test_proposals
  objectness = jnp.where(anchored.inside, anchored.objectness, -jnp.inf)
  return jax.vmap(
    lambda logits, displacements, size: selection.propose(
      logits, displacements, anchored.boxes, size, chosen
    )
  )(objectness, anchored.displacements, batch["size"])


def truth(batch: Batch) -> Batch:
  """What of a batch is known of each picture's objects, and its key."""
  return {name: batch[name] for name in ("boxes", "classes", "present", "keys")}


def _examples(
  proposals: selection.Proposals,
  batch: Batch,
  settings: detector_parts.Settings,
) -> detector_parts.Examples:
  """Proposals and the objects themselves, sampled and labelled."""

  def choose(proposals, row):
    candidates = jnp.concatenate([proposals.boxes, row["boxes"]])
    valid = jnp.concatenate([proposals.valid, row["present"]])
    found = matching.match(
      candidates, row["boxes"], row["present"], (_THRESHOLD,) * 2, False
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
    return detector_parts.Examples(
      selection.Proposals(chosen, taken.valid), labels, wanted
    )

  return jax.vmap(choose)(proposals, truth(batch))


def _recall(proposals: selection.Proposals, wanted, present):
  """Share of one picture's objects that a proposal overlaps by half."""
  overlaps = boxes.overlap(wanted, proposals.boxes)
  overlaps = jnp.where(proposals.valid[None], overlaps, 0.0)
  found = present & (jnp.max(overlaps, axis=1) >= _THRESHOLD)
  return jnp.sum(found) / jnp.maximum(jnp.sum(present), 1)
