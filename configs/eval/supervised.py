"""Supervised training from scratch: the baseline rows of Tables 2, 8 and 9.

python -m byol_jax.main --config=configs/eval/supervised.py
python -m byol_jax.main --config=configs/eval/supervised.py \
  --config.network.encoder=resnet200 --config.network.width_multiplier=2

The recipe of Table 9 (paper: 76.4 % with ResNet-50); learning rate, batch and
the strength of RandAugment are not stated there and are ours.
Its checkpoint is an encoder like any other. The presets `:1percent` and
`:10percent` train on SimCLR's subsets (Table 2: 25.4 and 56.4 %). Our times and
scores are not measured.
"""

import ml_collections

_PRESETS = ("100percent", "10percent", "1percent")


def get_config(preset: str = "100percent") -> ml_collections.ConfigDict:
  """Returns the settings for all labels of ImageNet, or a subset's."""
  if preset not in _PRESETS:
    raise ValueError(
      f"configs/eval/supervised.py has the presets {', '.join(_PRESETS)}, not"
      f" {preset!r}."
    )
  config = ml_collections.ConfigDict()
  config.protocol = "classify"
  config.seed = 0
  config.encoder = "random"  # A workdir or checkpoint, "random" or "pixels".
  config.like = ""  # Of random and pixels: whose architecture and size.
  config.log_every = 100  # Steps.

  config.data = ml_collections.ConfigDict()
  config.data.source = "tfds"
  config.data.sets = ()  # With source="set": names of the transfer sets.
  config.data.sets_root = ""  # Their folders, NAME/{train,valid,test}.
  config.data.tfds_name = "imagenet2012"
  config.data.valid_tfds_name = ""
  config.data.data_dir = ""  # Empty: where TFDS keeps its data.
  config.data.train_split = "train[:-10009]"
  config.data.valid_split = "train[-10009:]"  # 10,009 pictures.
  config.data.test_split = "validation"
  config.data.train_path = ""
  config.data.valid_path = ""
  config.data.test_path = ""
  config.data.train_prefix = ""
  config.data.valid_prefix = ""
  config.data.test_prefix = ""
  config.data.corrupt = "fatal"
  config.data.hold_out = "given"
  config.data.hold_out_images = 0
  config.data.hold_out_share = 0.0
  config.data.train_share = 1.0  # Of each class.
  config.data.metric = "top1"
  config.data.image_px = 0  # 0: the encoder's own.
  config.data.stored_px = 0
  config.data.views = "device"

  config.augment = ml_collections.ConfigDict()
  config.augment.kind = "view"  # Or "pretraining", or "none": cached features.
  config.augment.view = _crop_and_flip()
  config.augment.randaugment_layers = 2  # Operations a picture; 0: none.
  config.augment.randaugment_magnitude = 9.0  # In [0, 10].

  config.network = _random_network()

  config.training = ml_collections.ConfigDict()
  config.training.frozen = False  # The encoder stays as it is.
  config.training.refit = False  # On train and valid, once chosen.
  config.training.batch_size = 1024  # Images a step, all devices together.
  config.training.num_epochs = (200.0,)
  config.training.num_steps = 0  # Above 0: instead of epochs.
  config.training.warmup_epochs = 5.0
  config.training.norm_decay_from_epoch = False
  config.training.label_smoothing = 0.1
  config.training.logit_clip = 0.0  # alpha; 0: none.
  config.training.logit_penalty = 0.0  # beta.

  config.optimizer = ml_collections.ConfigDict()
  config.optimizer.learning_rates = (0.1,)  # Per 256.
  config.optimizer.weight_decays = (1e-4,)
  config.optimizer.decay_over_rate = False  # Decay / rate is what is added.
  config.optimizer.momentum = 0.9  # Nesterov's.

  config.evaluation = ml_collections.ConfigDict()
  config.evaluation.batch_size = 1024
  config.evaluation.geometry = "resize_then_crop"  # As the paper.
  config.evaluation.crop_share = 0.875  # 224 of 256 pixels.
  config.evaluation.every_epochs = 10.0  # 0: only at the end.

  config.checkpoint = ml_collections.ConfigDict()
  config.checkpoint.every_steps = 1000  # 0: only at the end.
  config.checkpoint.keep = 1
  if preset != "100percent":
    _use_subset(config, preset)
  return config.lock()


def _use_subset(config: ml_collections.ConfigDict, preset: str) -> None:
  """The public lists of pictures; valid and test are those of ImageNet."""
  share = preset.replace("percent", "pct")
  config.data.tfds_name = f"imagenet2012_subset/{share}"
  config.data.valid_tfds_name = "imagenet2012"
  config.data.train_split = "train"


def _crop_and_flip() -> ml_collections.ConfigDict:
  """Random resized crop and flip, no change of colour."""
  view = ml_collections.ConfigDict()
  view.crop_area = (0.08, 1.0)
  view.crop_ratio = (3 / 4, 4 / 3)
  view.flip = 0.5
  view.jitter = 0.0
  view.brightness = 0.4
  view.contrast = 0.4
  view.saturation = 0.2
  view.hue = 0.1
  view.grayscale = 0.0
  view.blur = 0.0
  view.blur_sigma = (0.1, 2.0)
  view.blur_divider = 10.0
  view.solarize = 0.0
  view.solarize_threshold = 0.5
  return view


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
