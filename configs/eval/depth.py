"""Monocular depth by up-projection, fine-tuned (paper, Table 4b).

python -m byol_jax.main --config=configs/eval/depth.py \
  --config.encoder=runs/r50 --config.data.train_path=nyu/train \
  --config.data.test_path=nyu/test

`nyu` is the paper's protocol (BYOL: 84.6 % of pixels within a factor of 1.25,
rel 0.129 on 654 pictures) on folders `images` and `depth`, 16-bit PNG in
millimetres; `nyu_tfds` takes the same from TFDS. `nyu_desk` is for depth of
unknown scale, pictures of 320x240 pixels and a small encoder on two cores: 5
minutes. Our score at the paper's scale is not measured.
"""

import ml_collections

_PRESETS = ("nyu", "nyu_tfds", "nyu_desk")


def get_config(preset: str = "nyu") -> ml_collections.ConfigDict:
  """Returns the paper's settings, or smaller ones."""
  if preset not in _PRESETS:
    raise ValueError(
      f"configs/eval/depth.py has the presets {', '.join(_PRESETS)}, not"
      f" {preset!r}."
    )
  config = ml_collections.ConfigDict()
  config.protocol = "depth"
  config.seed = 0
  config.encoder = ""  # A workdir or checkpoint, or "random".
  config.like = ""  # Of random: whose architecture.
  config.log_every = 20  # Steps.

  config.data = ml_collections.ConfigDict()
  config.data.source = "pairs"
  config.data.train_path = ""  # A folder or tar.
  config.data.train_prefix = ""  # A sub-folder of it.
  config.data.train_list = ""  # A text file of names; empty: all pictures.
  config.data.test_path = ""
  config.data.test_prefix = ""
  config.data.test_list = ""  # As train_list.
  config.data.test_share = 0.0  # Above 0: of train, the last by name.
  config.data.images_folder = "images"  # Below path and prefix.
  config.data.targets_folder = "depth"  # Of the depth maps.
  config.data.tfds_name = "nyu_depth_v2"  # With source="tfds".
  config.data.data_dir = ""  # Empty: where TFDS keeps its data.
  config.data.train_split = "train"
  config.data.test_split = "validation"  # 654 pictures.
  config.data.depth_scale = 0.001  # Metres a stored unit; 0: not known.
  config.data.hold_out_images = 0  # Of train, to choose the rate by.

  config.depth = ml_collections.ConfigDict()
  config.depth.resized_px = (240, 320)  # Height and width.
  config.depth.image_px = (228, 304)  # The centre of that.
  config.depth.widths = (512, 256, 128, 64)  # Of the up-projections.
  config.depth.loss = "reverse_huber"  # Or "scale_invariant".
  config.depth.invariance = 1.0  # Of the latter; 0.5 minds the scale, too.
  config.depth.zoom = 1.0  # Above 1: parts of the picture, enlarged so far.
  config.depth.flip = 0.5  # Probability.
  config.depth.grayscale = 0.3  # Probability.
  config.depth.brightness = 0.1255  # Added, at most.
  config.depth.saturation = 0.5  # Factors in [0.5, 1.5].
  config.depth.hue = 0.2  # Turns, at most.

  config.network = _random_network()

  config.training = ml_collections.ConfigDict()
  config.training.frozen = "none"  # Or trunk, or encoder.
  config.training.batch_statistics = True  # Of the encoder's norms.
  config.training.batch_size = 256  # Pictures a step, all devices together.
  config.training.num_steps = 7500
  config.training.warmup_steps = 0  # The rate rises from 0.
  config.training.drops = (0.7, 0.9)  # Of the steps: the rate falls.
  config.training.drop_factor = 0.1  # What it is multiplied by.
  config.training.compute_dtype = "float32"  # Or bfloat16.

  config.optimizer = ml_collections.ConfigDict()
  config.optimizer.learning_rates = (0.16,)
  config.optimizer.weight_decay = 5e-4
  config.optimizer.momentum = 0.9

  config.evaluation = ml_collections.ConfigDict()
  config.evaluation.batch_size = 64
  config.evaluation.every_steps = 0  # On what is held out; 0: at the end.
  config.evaluation.pictures = 16  # Drawn beside the truth.

  config.checkpoint = ml_collections.ConfigDict()
  config.checkpoint.every_steps = 500  # 0: only at the end.
  config.checkpoint.keep = 1
  if preset == "nyu_tfds":
    config.data.source = "tfds"
    config.data.depth_scale = 1.0
  elif preset == "nyu_desk":
    _shrink(config)
  return config.lock()


def _shrink(config: ml_collections.ConfigDict) -> None:
  """Relative depth of 160 pictures of 320x240, for two cores."""
  config.data.train_prefix = "nyu"
  config.data.test_share = 0.25
  config.data.depth_scale = 0.0
  config.depth.loss = "scale_invariant"
  config.depth.resized_px = (120, 160)
  config.depth.image_px = (114, 152)
  config.depth.widths = (64, 32, 16)  # Half the size of the picture.
  config.depth.zoom = 2.0  # 120 pictures are learned by heart without.
  config.network.image_px = 64
  config.network.encoder = "resnet8"
  config.network.width_multiplier = 2
  config.training.batch_size = 8
  config.training.num_steps = 800
  config.optimizer.learning_rates = (0.05,)
  config.evaluation.batch_size = 8
  config.evaluation.pictures = 8
  config.checkpoint.every_steps = 200


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
