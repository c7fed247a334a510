"""Weighted k-nearest neighbours (Wu et al. 2018) on ImageNet or your pictures.

python -m byol_jax.main --config=configs/eval/knn.py --config.encoder=runs/r50
python -m byol_jax.main --config=configs/eval/knn.py \
  --config.encoder=runs/mine --config.data.source=folder \
  --config.data.train_path=pictures/train \
  --config.data.test_path=pictures/test

Nothing is trained or chosen: the whole training split votes on the test split.
"""

import ml_collections


def get_config(preset: str = "") -> ml_collections.ConfigDict:
  """Returns the settings; there are no presets."""
  if preset:
    raise ValueError(f"configs/eval/knn.py has no presets, so not {preset!r}.")
  config = ml_collections.ConfigDict()
  config.protocol = "knn"
  config.seed = 0  # Of an untrained encoder.
  config.encoder = ""  # A workdir or checkpoint, "random" or "pixels".
  config.like = ""  # Of random and pixels: whose architecture and size.

  config.knn = ml_collections.ConfigDict()
  config.knn.neighbours = (1, 5, 20, 200)  # How many vote.
  config.knn.temperature = 0.07  # Of the votes.

  config.data = ml_collections.ConfigDict()
  config.data.source = "tfds"
  config.data.sets = ()  # With source="set": names of the transfer sets.
  config.data.sets_root = ""  # Their folders, NAME/{train,valid,test}.
  config.data.tfds_name = "imagenet2012"
  config.data.valid_tfds_name = ""
  config.data.data_dir = ""  # Empty: where TFDS keeps its data.
  config.data.train_split = "train"
  config.data.valid_split = ""
  config.data.test_split = "validation"
  config.data.train_path = ""
  config.data.valid_path = ""
  config.data.test_path = ""
  config.data.train_prefix = ""
  config.data.valid_prefix = ""
  config.data.test_prefix = ""
  config.data.corrupt = "fatal"
  config.data.hold_out = "none"
  config.data.hold_out_images = 0
  config.data.hold_out_share = 0.0
  config.data.train_share = 1.0  # Of each class.
  config.data.metric = "top1"
  config.data.image_px = 0  # 0: the encoder's own.
  config.data.stored_px = 0
  config.data.views = "device"

  config.network = _random_network()

  config.evaluation = ml_collections.ConfigDict()
  config.evaluation.batch_size = 1024
  config.evaluation.geometry = "resize_then_crop"  # As the paper.
  config.evaluation.crop_share = 0.875  # 224 of 256 pixels.
  return config.lock()


def _random_network() -> ml_collections.ConfigDict:
  """The architecture of encoder="random"; a checkpoint brings its own."""
  network = ml_collections.ConfigDict()
  network.image_px = 224
  network.encoder = "resnet50"
  network.width_multiplier = 1
  network.stem = "imagenet"
  network.zero_init_last_scale = False
  network.encoder_norm = "batch"
  network.norm_groups = 16
  network.weight_standardization = False
  network.norm_decay = 0.9
  network.norm_epsilon = 1e-5
  network.mean_rgb = (0.485, 0.456, 0.406)
  network.std_rgb = (0.229, 0.224, 0.225)
  return network
