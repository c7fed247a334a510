"""A detector whose encoder says where it looks: no weights, one program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import encoders, parallel
from byol_jax.dense import detection, detector
from byol_jax.detection import selection
from byol_jax.networks import dense
from byol_jax.types import Variables
from configs.eval import detection as configs

# A picture of 32x20 pixels, padded to a square; cells are two pixels apart, and
# SAME padding puts the middle of the first one's window on the pixel 1.
SIDE, SIZE = 32, (32.0, 20.0)
PLACES = 1.0 + 2.0 * np.arange(16)
ANCHOR = 6.0
SETTINGS = {
  "detection.num_classes": 1,
  "detection.max_boxes": 2,
  "detection.train_px": (SIDE,),
  "detection.test_px": SIDE,
  "detection.anchor_sizes": (ANCHOR,),
  "detection.anchor_ratios": (1.0,),
  "detection.proposal_channels": 4,
  "detection.proposal_overlap": 0.7,
  "detection.train_candidates": 256,
  "detection.train_proposals": 40,
  "detection.sampled_anchors": 32,
  "detection.sampled_boxes": 30,
  "detection.pool_size": 4,
  "network.width_multiplier": 1,
  "network.stem": "cifar",
}


def _backbone(spec, axis_name, compute_dtype="float32"):
  """The map has the row and column of its pixel, and the pixel's colour."""
  del spec, axis_name
  rows, columns = np.meshgrid(PLACES, PLACES, indexing="ij")
  places = jnp.asarray(np.stack([rows, columns], -1)[None], compute_dtype)

  def trunk(images, is_training):
    del is_training
    return jnp.concatenate([places, images[:, 1::2, 1::2]], axis=-1)

  return dense.Backbone(trunk, lambda x, is_training: x)


def _config(**changes):
  config = configs.get_config("coco128")
  with config.unlocked():
    config.update_from_flattened_dict({**SETTINGS, **changes})
  return config


@pytest.fixture(scope="module")
def batch():
  images = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3))
  return {
    "images": images.astype(np.uint8),
    "size": np.array([SIZE], np.float32),
    "boxes": np.array([[[4, 4, 10, 10], [20, 8, 26, 14]]], np.float32),
    "classes": np.zeros((1, 2), np.int32),
    "present": np.ones((1, 2), bool),
    "difficult": np.zeros((1, 2), bool),
    "index": np.zeros(1, np.int32),
  }


@pytest.fixture(scope="module")
def look():
  """Batch to outputs, and the loss of a batch; compiled together."""
  config = _config()
  spec = encoders.spec_of(config.network)
  settings = detection._settings(config)

  def both(variables, batch):
    keyed = {**batch, "keys": jax.random.split(jax.random.key(0), 1)}
    outputs, _ = net.apply(variables, keyed, dense.INFERENCE)
    loss = detection._make_loss(net, settings)
    value, _ = loss(variables, batch, jax.random.key(1), dense.INFERENCE)
    return outputs, value

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(dense, "backbone", _backbone)
    net = detector.make_network(spec, settings, parallel.AXIS)
    compiled = jax.jit(parallel.one_device(both))
    yield lambda batch: compiled(_variables(), batch)


def _variables():
  """Proposals are drawn; the logits of a box are its middle, and bias."""
  rng = np.random.default_rng(0)

  def linear(shape):
    return {
      "w": rng.normal(0.0, 0.03, shape).astype(np.float32),
      "b": np.zeros(shape[-1:], np.float32),
    }

  logits = {"w": np.eye(5, 2, dtype=np.float32), "b": np.zeros(2, np.float32)}
  conv = rng.normal(0.0, 0.1, (3, 3, 5, 4)).astype(np.float32)
  return Variables(
    params={
      "proposal_head/~/conv": {"w": conv},
      "proposal_head/~/conv_bias": {"b": np.zeros(4, np.float32)},
      "proposal_head/~/objectness": linear((4, 1)),
      "proposal_head/~/displacements": linear((4, 4)),
      "box_head/~/logits": logits,
      "box_head/~/displacements": linear((5, 4)),
    },
    stats={},
  )


def test_a_box_is_looked_at_where_it_is(look, batch):
  (_, seen, judged, _), _ = look(batch)
  boxes, valid = np.asarray(seen.proposals.boxes[0]), seen.proposals.valid[0]
  # Beyond the outermost cells a sample takes their value.
  inner = (boxes[:, :2] >= 2.0).all(1) & (boxes[:, 2:] <= SIDE).all(1)
  chosen = inner & np.asarray(valid)
  assert chosen.sum() >= 8
  # In pixels by number: the middle of the pixel 0 is half a pixel in.
  middles = (boxes[:, :2] + boxes[:, 2:]) / 2 - 0.5
  np.testing.assert_allclose(
    judged.logits[0][chosen], middles[chosen], atol=1e-3
  )


def test_anchors_in_the_padding_are_outside(look, batch):
  (anchored, *_), _ = look(batch)
  rows, columns = np.meshgrid(PLACES + 0.5, PLACES + 0.5, indexing="ij")
  middles = np.stack([rows.ravel(), columns.ravel()], -1)
  boxes = np.concatenate([middles - ANCHOR / 2, middles + ANCHOR / 2], -1)
  np.testing.assert_allclose(anchored.boxes, boxes)
  np.testing.assert_array_equal(anchored.inside[0], (middles < SIZE).all(1))


def test_what_lies_in_the_padding_is_not_seen(look, batch):
  shown = batch["images"].copy()
  shown[:, :, int(SIZE[1]) :] = 255 - shown[:, :, int(SIZE[1]) :]
  same, other = look(batch), look({**batch, "images": shown})
  jax.tree.map(np.testing.assert_array_equal, same, other)
  shown[:, :, 5] = 255 - shown[:, :, 5]
  changed = look({**batch, "images": shown})
  assert changed[1] != same[1]


def test_difficult_objects_are_no_examples(look, batch):
  second = np.array([[False, True]])
  _, difficult = look({**batch, "difficult": second})
  _, absent = look({**batch, "present": ~second})
  _, both = look(batch)
  assert difficult == absent
  assert difficult != both


def test_only_what_is_there_is_sampled(batch):
  settings = detection._settings(_config())._replace(num_boxes=6)
  found = np.zeros((1, 5, 4), np.float32)
  found[0, :2] = [[4, 4, 10, 10], [20, 0, 24, 4]]
  valid = np.array([[True, True, False, False, False]])
  rows = {**batch, "present": np.array([[True, False]])}
  rows["keys"] = jax.random.split(jax.random.key(0), 1)
  proposals = selection.Proposals(jnp.asarray(found), jnp.asarray(valid))
  examples = jax.jit(
    lambda proposals, rows: detector._examples(proposals, rows, settings)
  )(proposals, rows)
  taken = np.asarray(examples.proposals.valid[0])
  boxes = np.asarray(examples.proposals.boxes[0])[taken]
  # Both proposals and the one object, on which the first of them lies.
  assert sorted(map(tuple, boxes.tolist())) == [
    (4, 4, 10, 10),
    (4, 4, 10, 10),
    (20, 0, 24, 4),
  ]
  assert sorted(examples.labels[0][taken].tolist()) == [0, 1, 1]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_training_computes_in_the_type_that_is_asked_for(batch, dtype):
  config = _config(**{"training.compute_dtype": dtype})
  task = detection.make(config, encoders.spec_of(config.network))

  def loss(variables):
    return task.loss(variables, batch, jax.random.key(0), dense.TRAINING)[0]

  variables = jax.eval_shape(task.init, jax.random.key(0))
  text = str(jax.make_jaxpr(parallel.one_device(loss))(variables))
  assert ("bf16" in text) == (dtype == "bfloat16")
