"""A small detector from its settings to its pictures."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from byol_jax import config as config_lib
from byol_jax import parallel
from byol_jax.data import problems
from byol_jax.dense import (
  detected,
  detection,
  detection_batches,
  division,
  runs,
)
from byol_jax.detection import selection
from configs.eval import detection as configs

# Of the pictures; squares of two colours on grey lie in them.
SIDE, COLOURS = 32, ((200, 30, 30), (30, 30, 200))


def _write(root, count):
  for name in ("images", "boxes"):
    (root / name).mkdir()
  rng = np.random.default_rng(0)
  for i in range(count):
    image = np.full((SIDE - 4, SIDE, 3), 128, np.uint8)
    top, left = rng.integers(0, (SIDE - 16, SIDE - 12))
    image[top : top + 12, left : left + 12] = COLOURS[i % 2]
    Image.fromarray(image).save(root / f"images/{i}.png")
    box = (
      (left + 6) / SIDE,
      (top + 6) / (SIDE - 4),
      12 / SIDE,
      12 / (SIDE - 4),
    )
    line = " ".join(map(str, (i % 2, *box)))
    (root / f"boxes/{i}.txt").write_text(line)
  (root / "box_classes.json").write_text('["red", "blue"]')


def _config(root, **changes):
  config = configs.get_config("coco128")
  values = {
    "encoder": "random",
    "log_every": 20,
    "data.train_path": str(root),
    "data.test_path": str(root),
    "data.train_prefix": "",
    "data.test_prefix": "",
    "detection.num_classes": 2,
    "detection.max_boxes": 2,
    "detection.train_px": (SIDE,),
    "detection.test_px": SIDE,
    "detection.anchor_sizes": (12.0,),
    "detection.anchor_ratios": (1.0,),
    "detection.proposal_channels": 8,
    "detection.train_candidates": 30,
    "detection.train_proposals": 14,
    "detection.test_candidates": 30,
    "detection.test_proposals": 5,
    "detection.sampled_anchors": 16,
    "detection.sampled_boxes": 8,
    "detection.pool_size": 4,
    "detection.detection_candidates": 8,
    "detection.detections": 3,
    "network.image_px": SIDE,
    "network.width_multiplier": 1,
    "network.stem": "cifar",
    "training.batch_size": 4,
    "training.num_steps": 40,
    "training.warmup_steps": 5,
    "optimizer.learning_rates": (0.01,),
    "evaluation.batch_size": 4,
    "evaluation.pictures": 1,
    "checkpoint.every_steps": 0,
  }
  values |= {key.replace("__", "."): x for key, x in changes.items()}
  with config.unlocked():
    config.update_from_flattened_dict(values)
  config_lib.validate(config, 2)
  return config


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  root = tmp_path_factory.mktemp("squares")
  _write(root, 8)
  return root


@pytest.fixture(scope="module")
def made(root, tmp_path_factory):
  workdir = tmp_path_factory.mktemp("detection")
  encoder, config = runs.find(_config(root))
  return workdir, runs.run(config, encoder, str(workdir), "detection")


def test_it_learns_what_can_be_learnt(made):
  workdir, result = made
  assert result["scores"]["ap50"] > 0.7
  assert result["metric"] == "ap50"
  each = result["classes"]["ap50"].values()
  assert np.mean(list(each)) == pytest.approx(result["scores"]["ap50"])
  assert set(result["scores"]) == {"ap50", "ap50_11", "map", "map50", "map75"}
  assert json.loads((workdir / "results.json").read_text()) == result


def test_pictures_show_objects_and_detections(made):
  workdir, result = made
  files = sorted((workdir / result["key"] / "overlays").iterdir())
  assert [file.name for file in files] == ["000_0.png"]
  shown = np.asarray(Image.open(files[0]))
  step = (shown.shape[1] + 4) // 3
  # The title lies above, and is wider than these pictures.
  below = shown[-(SIDE - 4) :]
  panels = [below[:, i * step :][:, :SIDE] for i in range(3)]
  assert shown.shape[0] > SIDE
  np.testing.assert_array_equal(below[:, SIDE:step], 255)
  assert np.any(panels[0] != panels[1])


def test_a_step_has_one_size_and_steps_have_several(root):
  config = _config(root, detection__train_px=(16, 32, 48))
  source = detection.open_part(config, "train")
  batches = detection_batches.train(config, source, 0)
  seen = [next(batches) for _ in range(8)]
  sides = [batch["images"].shape for batch in seen]
  assert {side[:1] + side[2:] for side in sides} == {
    (4, 16, 3),
    (4, 32, 3),
    (4, 48, 3),
  }
  later = next(detection_batches.train(config, source, 5))
  np.testing.assert_array_equal(later["images"], seen[5]["images"])
  np.testing.assert_array_equal(later["boxes"], seen[5]["boxes"])


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_boxes_of_a_batch_lie_around_their_squares(root, flip):
  config = _config(root, detection__train_px=(64,), detection__flip=flip)
  source = detection.open_part(config, "train")
  batch = next(detection_batches.train(config, source, 0))
  for image, boxes, label in zip(
    batch["images"], batch["boxes"], batch["classes"], strict=True
  ):
    top, left, bottom, right = boxes[0].astype(int)
    inner = image[top + 2 : bottom - 2, left + 2 : right - 2]
    assert inner.size > 0
    np.testing.assert_allclose(inner, np.full_like(inner, COLOURS[label[0]]))
    outer = image[: max(0, top - 2)]
    assert not np.any(np.all(outer == COLOURS[label[0]], axis=-1))


def test_the_truth_scores_perfectly_at_any_size(root):
  config = _config(root, detection__test_px=24)
  source = detection.open_part(config, "test")
  detect = parallel.pmap(
    lambda _, batch: selection.Detections(
      batch["boxes"], batch["classes"], batch["present"].astype(jnp.float32)
    )
  )
  batches = detection_batches.test(config, source)
  nothing = np.zeros(parallel.num_devices())
  seen = list(detected.pictures(detect, nothing, batches))
  assert sorted(x.index for x in seen) == list(range(8))
  assert {x.size for x in seen} == {(SIDE - 4, SIDE)}
  for picture in seen:
    wanted = source.read(picture.index)[1]
    np.testing.assert_allclose(picture.found.boxes, wanted.boxes, atol=1e-4)
  scores = detected.scores(seen, source.class_names).scores
  assert scores == pytest.approx(dict.fromkeys(scores, 1.0))


@pytest.mark.parametrize(
  ("changes", "match"),
  [
    ({"detection__train_px": (33,)}, "stride of this encoder's trunk, 2, un"),
    ({"network__encoder": "one_conv"}, "one_conv has 0 groups"),
    ({"detection__sampled_boxes": 17}, "sampled_boxes=17 is more than the 16"),
    ({"detection__sampled_anchors": 257}, "is more than the 256 that"),
  ],
)
def test_sizes_that_do_not_fit_are_refused(root, changes, match):
  encoder, config = runs.find(_config(root, **changes))
  with pytest.raises(ValueError, match=match):
    detection.make(config, encoder.spec)


@pytest.mark.parametrize(
  ("changes", "match"),
  [
    (
      {"detection__num_classes": 3},
      "num_classes=3, and the train part has 2 cl",
    ),
    ({"data__train_path": ""}, r"data\.train_path is empty"),
    ({"data__source": "tfds"}, r"is for data\.source=voc"),
  ],
)
def test_data_that_does_not_fit_is_refused(root, changes, match):
  with pytest.raises(ValueError, match=match):
    detection.open_part(_config(root, **changes), "train")


@pytest.mark.parametrize("preset", ["voc2007", "coco", "coco128"])
def test_the_presets_are_whole(preset):
  config = configs.get_config(preset)
  with config.unlocked():
    config.encoder = "random"
  config_lib.validate(config, 2)


def test_an_unknown_preset_is_refused():
  with pytest.raises(ValueError, match="presets voc2007, coco, coco128, not"):
    configs.get_config("voc")


def test_boxes_are_counted_before_any_work(tmp_path):
  _write(tmp_path, 8)
  for name in ("1", "2", "3"):
    (tmp_path / f"boxes/{name}.txt").write_text("")
  lines = (tmp_path / "boxes/5.txt").read_text()
  (tmp_path / "boxes/5.txt").write_text(f"{lines}\n{lines}\n{lines}")
  with pytest.raises(ValueError, match=r"images/5\.png has 3 boxes, the mos"):
    detection.open_part(_config(tmp_path), "train")
  some = tmp_path / "some.txt"
  some.write_text("1\n2\n3\n")
  config = _config(tmp_path, data__test_list=str(some), detection__max_boxes=3)
  with pytest.raises(problems.DataError, match="None of the 3 pictures of"):
    division.open_parts(config, detection)
  config = _config(tmp_path, data__train_list=str(some), detection__max_boxes=3)
  with pytest.raises(problems.DataError, match=r"object .* and training needs"):
    division.open_parts(config, detection)
  several = {
    "data__train_list": str(some),
    "data__hold_out_images": 2,
    "optimizer__learning_rates": (0.1, 0.2),
  }
  config = _config(tmp_path, **several, detection__max_boxes=3)
  with pytest.raises(problems.DataError, match=r"of data\.hold_out_images=2"):
    division.open_parts(config, detection)
