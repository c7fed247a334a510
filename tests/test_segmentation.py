"""A small segmentation from its command line's functions to its pictures."""

import json

import numpy as np
import pytest
from PIL import Image

from byol_jax import config as config_lib
from byol_jax import encoders
from byol_jax.dense import runs, segmentation
from configs.eval import segmentation as configs

SIZE, VOID = (12, 16), 9
# The darkest fifth is of class 0, and so on; the brightest is void.
CLASSES = (0, 1, 2, 3, VOID)


def _write(root, part, count, rng):
  for name in ("images", "masks"):
    (root / part / name).mkdir(parents=True)
  for i in range(count):
    # Blocks of one brightness, so that a resized picture fits its mask.
    level = np.kron(rng.integers(0, 5, (3, 4)), np.ones((4, 4), int))
    grey = (level * 50 + 20).astype(np.uint8)
    Image.fromarray(np.repeat(grey[:, :, None], 3, 2)).save(
      root / part / f"images/{i}.png"
    )
    mask = np.array(CLASSES, np.uint8)[level]
    Image.fromarray(mask).save(root / part / f"masks/{i}.png")


def _config(root, **changes):
  config = configs.get_config("pairs")
  values = {
    "encoder": "random",
    "log_every": 20,
    "data.train_path": str(root / "train"),
    "data.test_path": str(root / "test"),
    "segmentation.num_classes": 4,
    "segmentation.class_names": ("black", "dark", "bright", "white"),
    "segmentation.void_label": VOID,
    "segmentation.crop_px": (12, 12),
    "segmentation.test_px": SIZE,
    "segmentation.scales": (1.0, 1.2),
    "segmentation.head_channels": (8,),
    "segmentation.head_dilation": 1,
    "network.encoder": "one_conv",
    "network.stem": "cifar",
    "network.image_px": 12,
    "training.batch_size": 4,
    "training.num_steps": 120,
    "optimizer.learning_rates": (0.3,),
    "evaluation.batch_size": 2,
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
  root = tmp_path_factory.mktemp("pairs")
  rng = np.random.default_rng(0)
  _write(root, "train", 12, rng)
  _write(root, "test", 3, rng)
  return root


def _run(root, workdir, **changes):
  encoder, config = runs.find(_config(root, **changes))
  return runs.run(config, encoder, str(workdir), "segmentation")


@pytest.fixture(scope="module")
def made(root, tmp_path_factory):
  workdir = tmp_path_factory.mktemp("segmentation")
  return workdir, _run(root, workdir)


def test_it_learns_what_can_be_learnt(made):
  _, result = made
  # Four classes of five; a constant answer has a mean IoU below 0.1.
  assert result["scores"]["miou"] > 0.8
  assert result["metric"] == "miou"
  assert result["sizes"] == {"train": 12, "test": 3}


def test_the_result_is_written_and_found_again(made, root, capsys):
  workdir, result = made
  assert json.loads((workdir / "results.json").read_text()) == result
  again = _run(root, workdir)
  assert again == result
  assert "Already there" in capsys.readouterr().out


def test_pictures_show_the_truth_and_the_prediction(made):
  workdir, result = made
  files = sorted((workdir / result["key"] / "overlays").iterdir())
  assert [file.name for file in files] == ["000_0.png"]
  shown = np.asarray(Image.open(files[0]).convert("RGB")).astype(int)
  # Three panels of equal size, of which the last two are nearly alike.
  legend_px = 40
  picture, truth, prediction = np.split(shown[:-legend_px], 3, axis=1)
  assert np.ptp(picture, axis=2).max() == 0
  coloured = (np.ptp(truth, axis=2) > 30) & (picture < 250).all(axis=2)
  assert coloured.mean() > 0.3
  apart = np.abs(truth - prediction).max(axis=2)[coloured]
  assert (apart < 20).mean() > 0.8


def test_a_finished_run_is_an_encoder(made):
  workdir, result = made
  encoder = encoders.open_encoder(str(workdir))
  assert encoder.spec.encoder == "one_conv"
  assert encoder.image_px == 12
  features = encoders.as_function(encoder)
  assert features(np.zeros((1, 12, 12, 3), np.uint8)).shape == (1, 16)
  assert result["checkpoint"].endswith("/train")


@pytest.mark.parametrize(
  ("changes", "match"),
  [
    ({"optimizer__learning_rates": (0.1, 0.2)}, "leaves nothing to choose by"),
    ({"encoder": "pixels"}, "name a workdir, or random"),
    ({"segmentation__crop_px": (12,)}, "crop_px must be height and width"),
    ({"training__drops": (0.9, 0.7)}, "drops must be rising numbers"),
    ({"training__warmup_steps": 120}, "warmup_steps=120 must be below"),
    ({"data__train_path": "nowhere"}, "data.train_path=nowhere"),
    ({"segmentation__void_label": 300}, "void_label must be .* 0 to 255"),
    ({"segmentation__num_classes": 5}, "class_names has 4 names, and .*=5"),
  ],
)
def test_settings_that_do_not_fit_are_refused(root, changes, match):
  with pytest.raises(ValueError, match=match):
    _config(root, **changes)


def test_a_class_beyond_the_last_is_named(root):
  names = ("black", "dark", "bright")
  config = _config(
    root, segmentation__num_classes=3, segmentation__class_names=names
  )
  source = segmentation.open_part(config, "train")
  with pytest.raises(ValueError, match=r"images/0\.png has the class 3, "):
    source.read(0)


def test_the_dry_run_says_what_would_be_done(root):
  encoder, config = runs.find(_config(root))
  said = runs.describe(config, encoder, "work")
  assert "12 train, 3 test" in said
  assert "120 steps" in said


def test_the_presets_are_whole():
  for preset in ("voc2012", "moco", "pairs", "camvid"):
    config = configs.get_config(preset)
    with config.unlocked():
      config.encoder = "random"
    config_lib.validate(config, 2)
