"""The losses of a detector, from what its network says."""

import chex
import jax
import jax.numpy as jnp

from byol_jax.dense import detector, detector_parts
from byol_jax.detection import boxes, losses, matching
from byol_jax.types import Batch, Metrics

# Overlaps of an anchor with an object (arXiv 1506.01497, section 3.1.2), and
# how many of the anchors that are trained on may be an object's.
_THRESHOLDS = (0.3, 0.7)
_OBJECT_SHARE = 0.5


def total(
  outputs: detector_parts.Trained,
  batch: Batch,
  settings: detector_parts.Settings,
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
      detector_parts.Anchored(
        anchored.boxes, inside, objectness, displacements
      ),
      row,
      settings,
    )
  )(*anchored[1:], detector.truth(batch))
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


def _anchor_losses(
  one: detector_parts.Anchored, row: Batch, settings: detector_parts.Settings
):
  """Both losses of one picture's anchors."""
  # Without area, those beside the picture are no object's best.
  shown = jnp.where(one.inside[:, None], one.boxes, 0.0)
  found = matching.match(shown, row["boxes"], row["present"], _THRESHOLDS, True)
  found = found._replace(negative=found.negative & one.inside)
  key = jax.random.fold_in(row["keys"], 0)
  taken = matching.sample(key, found, settings.num_anchors, _OBJECT_SHARE)
  truth = row["boxes"][found.truth[taken.index]]
  return losses.proposal_losses(
    one.objectness[taken.index],
    one.displacements[taken.index],
    boxes.encode(truth, one.boxes[taken.index]),
    taken.positive,
    taken.valid,
  )
