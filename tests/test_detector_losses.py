"""What the losses of a detector are of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax.dense import detector_losses, detector_parts
from byol_jax.detection import selection
from configs.eval import detection as configs


@pytest.fixture(scope="module")
def settings():
  section = configs.get_config("coco128").detection
  names = detector_parts.Settings._fields
  known = {name: section[name] for name in names if name in section}
  others = dict.fromkeys(set(names) - set(known))
  return detector_parts.Settings(**{**known, **others, "num_anchors": 3})


def _outputs(anchors, inside):
  """Of one picture whose boxes nobody judges."""
  anchored = detector_parts.Anchored(
    anchors,
    inside[None],
    jnp.full((1, len(anchors)), -2.0),
    jnp.zeros((1, len(anchors), 4)),
  )
  none = selection.Proposals(jnp.zeros((1, 1, 4)), jnp.zeros((1, 1), bool))
  examples = detector_parts.Examples(
    none, jnp.zeros((1, 1), jnp.int32), jnp.zeros((1, 1, 4))
  )
  judged = detector_parts.Judged(jnp.zeros((1, 1, 2)), jnp.zeros((1, 1, 1, 4)))
  return anchored, examples, judged, jnp.ones(1)


def test_an_object_beside_the_padding_has_an_anchor(settings):
  # The picture is 10 pixels wide; the third anchor overlaps most.
  anchors = jnp.array([[0.0, 0, 8, 8], [0, 4, 8, 12], [0, 7, 8, 15]])
  inside = jnp.array([True, True, False])
  batch = {
    "boxes": jnp.array([[[0.0, 7, 8, 14]]]),
    "classes": jnp.zeros((1, 1), jnp.int32),
    "present": jnp.ones((1, 1), bool),
    "keys": jax.random.split(jax.random.key(0), 1),
  }
  _, logs = detector_losses.total(_outputs(anchors, inside), batch, settings)
  # The second is the object's, the first is background.
  expected = np.mean(np.logaddexp(0.0, [2.0, -2.0]))
  np.testing.assert_allclose(logs["loss_objectness"], expected, rtol=1e-5)
