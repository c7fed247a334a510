"""Fine-tuning: semi-supervised on ImageNet, and transfer to other data sets.

python -m byol_jax.main --config=configs/eval/finetune.py:1percent \
  --config.encoder=runs/r50
python -m byol_jax.main --config=configs/eval/finetune.py:transfer \
  --config.encoder=runs/r50

`1percent` and `10percent` are the fixed subsets of SimCLR (paper, Table 2: 53.2
and 68.8 %), `100percent` all labels (Table 8: 77.7 %); any other share of each
class (Figure 4) is `100percent` with `--config.data.train_share=0.05`.
`transfer` goes through the twelve data sets of Table 3; with
`--config.data.sets="('pets',)"` it takes one. `transfer_random` is SimCLR's
grid for training them from scratch. Our times and scores at this scale are not
measured.
"""

import ml_collections

_PRESETS = (
  "1percent",
  "10percent",
  "100percent",
  "transfer",
  "transfer_random",
)
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


def get_config(preset: str = "1percent") -> ml_collections.ConfigDict:
  """Returns the paper's settings for one of its protocols."""
  if preset not in _PRESETS:
    raise ValueError(
      f"configs/eval/finetune.py has the presets {', '.join(_PRESETS)}, not"
      f" {preset!r}."
    )
  config = ml_collections.ConfigDict()
  config.protocol = "classify"
  config.seed = 0
  config.encoder = ""  # A workdir or checkpoint, "random" or "pixels".
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
  config.augment.randaugment_layers = 0  # Operations a picture; 0: none.
  config.augment.randaugment_magnitude = 9.0  # In [0, 10].

  config.network = _random_network()

  config.training = ml_collections.ConfigDict()
  config.training.frozen = False  # The encoder stays as it is.
  config.training.refit = False  # On train and valid, once chosen.
  config.training.batch_size = 1024  # Images a step, all devices together.
  config.training.num_epochs = (30.0, 50.0)
  config.training.num_steps = 0  # Above 0: instead of epochs.
  config.training.warmup_epochs = 0.0
  config.training.norm_decay_from_epoch = False
  config.training.label_smoothing = 0.0
  config.training.logit_clip = 0.0  # alpha; 0: none.
  config.training.logit_penalty = 0.0  # beta.

  config.optimizer = ml_collections.ConfigDict()
  config.optimizer.learning_rates = (0.01, 0.02, 0.05, 0.1, 0.005)  # Per 256.
  config.optimizer.weight_decays = (0.0,)
  config.optimizer.decay_over_rate = False  # Decay / rate is what is added.
  config.optimizer.momentum = 0.9  # Nesterov's.

  config.evaluation = ml_collections.ConfigDict()
  config.evaluation.batch_size = 1024
  config.evaluation.geometry = "resize_then_crop"  # As the paper.
  config.evaluation.crop_share = 0.875  # 224 of 256 pixels.
  config.evaluation.every_epochs = 0.0  # 0: only at the end.

  config.checkpoint = ml_collections.ConfigDict()
  config.checkpoint.every_steps = 1000  # 0: only at the end.
  config.checkpoint.keep = 1
  if preset in ("1percent", "10percent"):
    _use_subset(config, preset)
  elif preset != "100percent":
    _transfer(config)
  if preset == "transfer_random":
    _from_scratch(config)
  return config.lock()


def _use_subset(config: ml_collections.ConfigDict, preset: str) -> None:
  """The public lists of pictures; valid and test are those of ImageNet."""
  share = preset.replace("percent", "pct")
  config.data.tfds_name = f"imagenet2012_subset/{share}"
  config.data.valid_tfds_name = "imagenet2012"
  config.data.train_split = "train"


def _transfer(config: ml_collections.ConfigDict) -> None:
  """Paper, "Transfer via fine-tuning"."""
  config.data.source = "set"
  config.data.sets = _SETS
  config.training.refit = True
  config.training.batch_size = 256
  config.training.num_epochs = (0.0,)
  config.training.num_steps = 20_000
  config.training.norm_decay_from_epoch = True
  config.evaluation.batch_size = 256
  config.optimizer.learning_rates = _log_spaced(-4.0, -1.0, 7)
  config.optimizer.weight_decays = (*_log_spaced(-6.0, -3.0, 7), 0.0)
  config.optimizer.decay_over_rate = True


def _from_scratch(config: ml_collections.ConfigDict) -> None:
  """SimCLR's grid for random initialisation."""
  config.encoder = "random"
  config.training.num_steps = 40_000
  config.optimizer.learning_rates = _log_spaced(-3.0, 0.0, 7)
  config.optimizer.weight_decays = _log_spaced(-5.0, -1.5, 8)


def _log_spaced(low: float, high: float, count: int) -> tuple[float, ...]:
  """Powers of ten from 10^low to 10^high."""
  step = (high - low) / (count - 1)
  return tuple(10.0 ** (low + number * step) for number in range(count))


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
