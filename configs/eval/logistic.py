"""Logistic regression on frozen features (paper, Table 3, upper half).

python -m byol_jax.main --config=configs/eval/logistic.py \
  --config.encoder=runs/r50
python -m byol_jax.main --config=configs/eval/logistic.py:pets \
  --config.encoder=runs/r50

Without a preset all twelve data sets, one after the other, those that are
missing named and left out. The strengths multiply half the squared weights
beside the SUM of the pictures' cross-entropies: scikit-learn's C is 1 /
strength. Your own pictures:

python -m byol_jax.main --config=configs/eval/logistic.py:own \
  --config.encoder=runs/mine --config.data.train_path=pictures/train \
  --config.data.test_path=pictures/test

Our time and scores on the twelve sets are not measured.
"""

import ml_collections

_SETS = (
  "food101",
  "cifar10",
  "cifar100",
  "birdsnap",
  "sun397",
  "cars",
  "aircraft",
  "voc2007",
  "dtd",
  "pets",
  "caltech101",
  "flowers",
)


def get_config(preset: str = "all") -> ml_collections.ConfigDict:
  """Returns the paper's settings for all sets, for one, or for a folder."""
  if preset not in ("all", "own", *_SETS):
    raise ValueError(
      f"configs/eval/logistic.py has the presets all, own, {', '.join(_SETS)},"
      f" not {preset!r}."
    )
  config = ml_collections.ConfigDict()
  config.protocol = "logistic"
  config.seed = 0
  config.encoder = ""  # A workdir or checkpoint, "random" or "pixels".
  config.like = ""  # Of random and pixels: whose architecture and size.

  config.logistic = ml_collections.ConfigDict()
  config.logistic.strengths = (1e-6, 1e5)  # The lowest and the highest.
  config.logistic.num_strengths = 45  # Evenly spaced in their logarithm.

  config.data = ml_collections.ConfigDict()
  config.data.source = "set"
  config.data.sets = (
    _SETS if preset == "all" else (preset,)
  )  # With source="set": names of the transfer sets.
  config.data.sets_root = ""  # Their folders, NAME/{train,valid,test}.
  config.data.tfds_name = ""
  config.data.valid_tfds_name = ""
  config.data.data_dir = ""  # Empty: where TFDS keeps its data.
  config.data.train_split = ""
  config.data.valid_split = ""
  config.data.test_split = ""
  config.data.train_path = ""
  config.data.valid_path = ""
  config.data.test_path = ""
  config.data.train_prefix = ""
  config.data.valid_prefix = ""
  config.data.test_prefix = ""
  config.data.corrupt = "fatal"
  config.data.hold_out = "balanced"
  config.data.hold_out_images = 0
  config.data.hold_out_share = 0.1
  config.data.train_share = 1.0  # Of each class.
  config.data.metric = "top1"
  config.data.image_px = 0  # 0: the encoder's own.
  config.data.stored_px = 0
  config.data.views = "device"

  config.network = _random_network()

  config.evaluation = ml_collections.ConfigDict()
  config.evaluation.batch_size = 256
  config.evaluation.geometry = "resize_then_crop"
  config.evaluation.crop_share = 1.0  # Short side to 224, central square.
  if preset == "own":
    config.data.source = "folder"
    config.data.sets = ()
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
