"""Linear evaluation (paper, "Linear evaluation on ImageNet": 74.3 %).

python -m byol_jax.main --config=configs/eval/linear.py \
  --config.encoder=runs/r50

The encoder is frozen. One linear classifier for each base learning rate, all
side by side; the best one on the validation part is scored on the test part.
Of a folder, or of any TFDS set, give `data.hold_out` for a validation part:

python -m byol_jax.main --config=configs/eval/linear.py \
  --config.encoder=runs/mine --config.data.source=folder \
  --config.data.train_path=pictures/train \
  --config.data.test_path=pictures/test --config.data.hold_out=balanced \
  --config.data.hold_out_share=0.1 --config.training.batch_size=64

The preset `:regularized` adds the paper's logit clipping and penalty (74.7 %);
`--config.augment.kind=pretraining` shows the views of pretraining (74.4 %, both
74.8 %), and "none" computes the features once. Our time and score on ImageNet
are not measured.
"""

import ml_collections


def get_config(preset: str = "") -> ml_collections.ConfigDict:
  """Returns the paper's settings, or those with regularized logits."""
  if preset not in ("", "regularized"):
    raise ValueError(
      f"configs/eval/linear.py has the preset regularized, not {preset!r}."
    )
  config = ml_collections.ConfigDict()
  config.protocol = "classify"  # What is done.
  config.seed = 0
  config.encoder = ""  # A workdir or checkpoint, "random" or "pixels".
  config.like = ""  # Of random and pixels: whose architecture and size.
  config.log_every = 100  # Steps.

  config.data = ml_collections.ConfigDict()
  config.data.source = "tfds"  # Or folder, photo_patches, set.
  config.data.sets = ()  # With source="set": names of the transfer sets.
  config.data.sets_root = ""  # Their folders, NAME/{train,valid,test}.
  config.data.tfds_name = "imagenet2012"  # Perhaps with :version.
  config.data.valid_tfds_name = ""  # Empty: the same.
  config.data.data_dir = ""  # Empty: where TFDS keeps its data.
  config.data.train_split = "train[:-10009]"  # Or a slice of one.
  config.data.valid_split = "train[-10009:]"  # 10,009 pictures.
  config.data.test_split = "validation"  # Where scores come from.
  config.data.train_path = ""  # With source="folder": a folder or a tar.
  config.data.valid_path = ""  # Likewise.
  config.data.test_path = ""  # Likewise.
  config.data.train_prefix = ""  # Only what lies below it there.
  config.data.valid_prefix = ""  # Likewise.
  config.data.test_prefix = ""  # Likewise.
  config.data.corrupt = "fatal"  # Pictures that are broken.
  config.data.hold_out = "given"  # How the valid part is made.
  config.data.hold_out_images = 0  # So many for it; 0: by share.
  config.data.hold_out_share = 0.0  # Of train.
  config.data.train_share = 1.0  # Of each class.
  config.data.metric = "top1"  # By which is chosen.
  config.data.image_px = 0  # 0: the encoder's own.
  config.data.stored_px = 0  # With views="memory": as it is kept.
  config.data.views = "device"

  config.augment = ml_collections.ConfigDict()
  config.augment.kind = "view"  # Or "pretraining", or "none": cached features.
  config.augment.view = _crop_and_flip()
  config.augment.randaugment_layers = 0  # Operations a picture; 0: none.
  config.augment.randaugment_magnitude = 9.0  # In [0, 10].

  config.network = _random_network()

  config.training = ml_collections.ConfigDict()
  config.training.frozen = True  # The encoder stays as it is.
  config.training.refit = False  # On train and valid, once chosen.
  config.training.batch_size = 1024  # Images a step, all devices together.
  config.training.num_epochs = (80.0,)  # One, or several to choose from.
  config.training.num_steps = 0  # Above 0: instead of epochs.
  config.training.warmup_epochs = 0.0  # Of the learning rate.
  config.training.norm_decay_from_epoch = False  # 1 - 10 / its steps.
  config.training.label_smoothing = 0.0  # Share given to all classes alike.
  config.training.logit_clip = 0.0  # alpha; 0: none.
  config.training.logit_penalty = 0.0  # beta.

  config.optimizer = ml_collections.ConfigDict()
  config.optimizer.learning_rates = (0.4, 0.3, 0.2, 0.1, 0.05)  # Per 256.
  config.optimizer.weight_decays = (0.0,)  # To choose from.
  config.optimizer.decay_over_rate = False  # Decay / rate is what is added.
  config.optimizer.momentum = 0.9  # Nesterov's.

  config.evaluation = ml_collections.ConfigDict()
  config.evaluation.batch_size = 1024  # All devices together.
  config.evaluation.geometry = "resize_then_crop"  # As the paper.
  config.evaluation.crop_share = 0.875  # 224 of 256 pixels.
  config.evaluation.every_epochs = 10.0  # 0: only at the end.

  config.checkpoint = ml_collections.ConfigDict()
  config.checkpoint.every_steps = 1000  # 0: only at the end.
  config.checkpoint.keep = 1  # So many, the newest.
  if preset == "regularized":
    config.training.logit_clip = 20.0
    config.training.logit_penalty = 1e-2
  return config.lock()


def _crop_and_flip() -> ml_collections.ConfigDict:
  """Random resized crop and flip, no change of colour."""
  view = ml_collections.ConfigDict()
  view.crop_area = (0.08, 1.0)  # Share of the picture, from and to.
  view.crop_ratio = (3 / 4, 4 / 3)  # Width over height.
  view.flip = 0.5  # Probability.
  view.jitter = 0.0  # Probability of the four that follow.
  view.brightness = 0.4  # Largest change.
  view.contrast = 0.4  # Likewise, of a factor.
  view.saturation = 0.2  # Likewise, of a factor.
  view.hue = 0.1  # Largest change, in turns.
  view.grayscale = 0.0  # Probability.
  view.blur = 0.0  # Probability.
  view.blur_sigma = (0.1, 2.0)  # Pixels.
  view.blur_divider = 10.0  # The kernel is side / this wide.
  view.solarize = 0.0  # Probability.
  view.solarize_threshold = 0.5  # What is brighter is inverted.
  return view


def _random_network() -> ml_collections.ConfigDict:
  """The architecture of encoder="random"; a checkpoint brings its own."""
  network = ml_collections.ConfigDict()
  network.image_px = 224  # Side of the pictures.
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
