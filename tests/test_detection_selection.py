"""From what a network says of boxes to proposals and detections."""

import jax
import numpy as np

from byol_jax.detection import selection
from tests import some_boxes

# One program instead of one for each operation.
_propose = jax.jit(selection.propose, static_argnums=4)
_detect = jax.jit(selection.detect, static_argnums=4)


def test_proposals_are_the_best_boxes_within_the_picture():
  grid = np.array(
    [[0.0, 0, 8, 8], [0, 0, 8, 7], [4, 4, 20, 20], [30, 30, 40, 40]]
  )
  logits = np.array([1.0, 2.0, 0.0, 5.0])
  found = _propose(
    logits,
    np.zeros((4, 4)),
    grid,
    np.array([12.0, 16.0]),
    selection.Filter(4, 0.7, 3),
  )
  np.testing.assert_array_equal(found.valid, [True, True, False])
  np.testing.assert_allclose(
    found.boxes, [[0, 0, 8, 7], [4, 4, 12, 16], [0] * 4]
  )


def test_detections_are_displaced_per_class_and_suppressed_within_one():
  proposals = selection.Proposals(
    np.array([[0.0, 0, 10, 10], [0, 0, 10, 9], [5, 5, 6, 6]]),
    np.array([True, True, False]),
  )
  logits = np.log(
    np.array([[0.1, 0.5, 0.4], [0.2, 0.7, 0.1], [0.0, 0.0, 1.0]]) + 1e-9
  )
  # Class 1 of the first: half its height, which is 5 units of 0.1, down.
  displacements = np.zeros((3, 2, 4))
  displacements[0, 1, 0] = 5.0
  found = _detect(
    logits,
    displacements,
    proposals,
    np.array([20.0, 20.0]),
    (selection.Filter(6, 0.5, 4), 0.2),
  )
  np.testing.assert_allclose(found.scores, [0.7, 0.4, 0, 0], rtol=1e-5)
  np.testing.assert_array_equal(found.classes[:2], [0, 1])
  np.testing.assert_allclose(
    found.boxes[:2], [[0, 0, 10, 9], [5, 0, 15, 10]], atol=1e-4
  )


def test_head_targets_are_what_displaces_proposals_onto_objects():
  truth, proposals = (
    some_boxes.random_boxes(10, 6, 40.0),
    some_boxes.random_boxes(11, 6, 40.0),
  )
  wanted = selection.head_targets(truth, proposals)
  assert np.abs(wanted).max() > 1.0
  np.testing.assert_allclose(
    selection.in_head_units(wanted, proposals), truth, atol=1e-3
  )
