"""The cheapest dense task: which parts of small pictures are bright."""

import numpy as np
from PIL import Image

from byol_jax import config as config_lib
from byol_jax.dense import runs
from configs.eval import segmentation

SIDE = 8
SETTINGS = {
  "encoder": "random",
  "log_every": 1,
  "segmentation.num_classes": 2,
  "segmentation.crop_px": (SIDE, SIDE),
  "segmentation.test_px": (SIDE, SIDE),
  "segmentation.scales": (1.0, 1.5),
  "segmentation.head_channels": (4,),
  "segmentation.head_dilation": 1,
  "network.encoder": "one_conv",
  "network.stem": "cifar",
  "network.image_px": SIDE,
  "training.batch_size": 4,
  "training.num_steps": 4,
  "optimizer.learning_rates": (0.1,),
  "evaluation.batch_size": 2,
  "evaluation.pictures": 0,
  "checkpoint.every_steps": 1,
  "checkpoint.keep": 4,
}


def write(root, count=6):
  """Writes a training and a test part of `count` pictures each."""
  rng = np.random.default_rng(0)
  for part in ("train", "test"):
    for name in ("images", "masks"):
      (root / part / name).mkdir(parents=True)
    for i in range(count):
      mask = np.kron(rng.integers(0, 2, (2, 2)), np.ones((4, 4), int))
      noise = rng.integers(0, 60, (SIDE, SIDE, 3))
      image = (160 * mask[:, :, None] + noise).astype(np.uint8)
      Image.fromarray(image).save(root / part / f"images/{i}.png")
      mask = mask.astype(np.uint8)
      Image.fromarray(mask).save(root / part / f"masks/{i}.png")


def config(root, **changes):
  """A valid config of these pictures; two underscores are a dot."""
  made = segmentation.get_config("pairs")
  paths = {f"data.{x}_path": str(root / x) for x in ("train", "test")}
  dotted = {key.replace("__", "."): value for key, value in changes.items()}
  with made.unlocked():
    made.update_from_flattened_dict({**SETTINGS, **paths, **dotted})
  config_lib.validate(made, 2)
  return made


def run(root, workdir, **changes):
  encoder, found = runs.find(config(root, **changes))
  return runs.run(found, encoder, str(workdir), "tiny")
