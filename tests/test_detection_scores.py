"""Average precision by hand and against scikit-learn and pycocotools."""

import numpy as np
import pytest
from pycocotools import mask

from byol_jax.detection import coco, objects, voc


def _truth(places, classes=None, difficult=None):
  """Objects of 10x10 pixels, some pixels to the right."""
  count = len(places)
  return objects.Objects(
    np.array([[0, x, 10, x + 10] for x in places], float).reshape(-1, 4),
    np.zeros(count, int) if classes is None else np.array(classes),
    np.zeros(count, bool) if difficult is None else np.array(difficult),
  )


def _found(places, scores, classes=None):
  truth = _truth(places, classes)
  return objects.Found(truth.boxes, truth.classes, np.array(scores, float))


# Right, wrong, right of three objects: recalls 1/3 and 2/3 at precisions 1 and
# 2/3; the 11 points are 0 to 0.3 and 0.4 to 0.6.
def test_average_precision_is_that_by_hand():
  truth = [_truth([0, 100]), _truth([50])]
  found = [_found([0, 30], [0.9, 0.8]), _found([51], [0.7])]
  scores = voc.average_precision(found, truth, 1)
  assert scores["ap50"] == pytest.approx((1 + 2 / 3) / 3)
  assert scores["ap50_11"] == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)


@pytest.mark.parametrize(("shift", "wanted"), [(3.3, 1.0), (3.4, 0.0)])
def test_half_an_overlap_is_enough(shift, wanted):
  # (10 - shift) / (10 + shift) is 0.5 at 10 / 3.
  scores = voc.average_precision([_found([shift], [1])], [_truth([0])], 1)
  assert scores["ap50"] == wanted


def test_a_second_detection_of_an_object_is_wrong():
  found = [_found([0, 1, 50], [0.9, 0.8, 0.7])]
  scores = voc.average_precision(found, [_truth([0, 50])], 1)
  assert scores["ap50"] == pytest.approx((1 + 2 / 3) / 2)


def test_difficult_objects_neither_help_nor_hurt():
  truth = _truth([0, 50, 100], difficult=[False, True, True])
  found = _found([50, 51, 0], [0.9, 0.8, 0.7])
  assert voc.average_precision([found], [truth], 1)["ap50"] == 1.0


def test_classes_count_alike_and_those_without_objects_not():
  truth = [_truth([0, 20, 40, 60], classes=[0, 0, 0, 2])]
  found = [_found([0, 20, 40, 90], [0.9, 0.8, 0.7, 0.6], classes=[0, 0, 0, 1])]
  assert voc.average_precision(found, truth, 4)["ap50"] == 0.5


def test_each_class_that_is_there_has_a_precision():
  # Of the class 0 all are found; of 2 one of two, after a wrong one.
  truth = [_truth([0, 60, 90], classes=[0, 2, 2])]
  found = [_found([0, 30, 60], [0.9, 0.8, 0.7], classes=[0, 2, 2])]
  precisions = voc.class_precisions(found, truth, 4)
  assert precisions == pytest.approx({0: 1.0, 2: 0.25})


def test_average_precision_without_objects_is_refused():
  with pytest.raises(ValueError, match="there is none"):
    voc.average_precision([_found([0], [1])], [_truth([])], 1)


def test_detections_of_other_pictures_are_refused():
  with pytest.raises(ValueError, match="of 1 pictures, and objects of 2"):
    voc.average_precision([_found([0], [1])], [_truth([0])] * 2, 1)


def _scene(seed):
  """Objects of two classes, and detections near some of them."""
  rng = np.random.default_rng(seed)
  low = rng.uniform(0, 60, (6, 2))
  boxes = np.concatenate([low, low + rng.uniform(8, 40, (6, 2))], 1)
  truth = objects.Objects(boxes, rng.integers(0, 2, 6), np.zeros(6, bool))
  kept = rng.permutation(12) % 6
  near = boxes[kept] + rng.normal(0, 3.0, (12, 4))
  found = objects.Found(near, truth.classes[kept], rng.random(12))
  order = np.argsort(-found.scores)
  return objects.Found(*(x[order] for x in found)), truth


def test_coco_agrees_with_voc_at_half_an_overlap():
  found, truth = zip(*map(_scene, range(8)), strict=True)
  ours = voc.average_precision(found, truth, 2)["ap50"]
  scores = coco.mean_average_precision(found, truth, [(100, 100)] * 8, "ab")
  assert 0.2 < scores["map"] < scores["map50"] < 0.95
  # COCO takes the precision at 101 recalls.
  assert scores["map50"] == pytest.approx(ours, abs=0.02)


def test_coco_is_quiet_and_perfect_for_the_truth(capfd):
  truth = [_truth([0, 30], classes=[0, 1]), _truth([], [])]
  found = [_found([0, 30], [0.9, 0.8], classes=[0, 1]), _found([], [])]
  scores = coco.mean_average_precision(found, truth, [(20, 50)] * 2, "ab")
  assert scores == pytest.approx({"map": 1.0, "map50": 1.0, "map75": 1.0})
  assert capfd.readouterr() == ("", "")


def test_coco_without_detections_is_zero():
  scores = coco.mean_average_precision(
    [_found([], [])], [_truth([0])], [(20, 50)], "a"
  )
  assert scores["map"] == 0.0


def test_coco_leaves_crowds_out():
  truth = [_truth([0, 30], difficult=[False, True])]
  found = [_found([30, 30, 0], [0.9, 0.8, 0.7])]
  scores = coco.mean_average_precision(found, truth, [(20, 50)], "a")
  assert scores["map"] == pytest.approx(1.0)


def test_overlaps_are_those_of_pycocotools():
  found, truth = _scene(3)
  wide = [
    np.concatenate([x[:, 1::-1], (x[:, 2:] - x[:, :2])[:, ::-1]], 1)
    for x in (found.boxes, truth.boxes)
  ]
  wanted = mask.iou(*wide, np.zeros(6, np.uint8))
  assert 0.3 < wanted.max() < 1.0
  np.testing.assert_allclose(
    voc.overlaps(found.boxes, truth.boxes), wanted, rtol=1e-6
  )
