"""Semantic segmentation: FCN-16s on the encoder, fine-tuned (paper, Table 4a).

python -m byol_jax.main --config=configs/eval/segmentation.py \
  --config.encoder=runs/r50 --config.data.train_path=VOC2012 \
  --config.data.test_path=VOC2012 \
  --config.data.train_list=VOC2012/train_aug.txt \
  --config.data.test_list=VOC2012/ImageSets/Segmentation/val.txt

`voc2012` is the paper's protocol (BYOL: 76.3 % mean IoU, mean of five seeds):
a folder in VOC's layout whose `SegmentationClassAug` has the masks of SBD too.
The rate is chosen on 2119 pictures held out of train_aug. `moco` has MoCo's one
rate, and tests on whole pictures. `pairs` is for any two folders of pictures
and masks; `camvid` are its settings for a small encoder and pictures of 320x240
pixels on two cores: 3 minutes. Our score at the paper's scale is not measured.
"""

import ml_collections

_PRESETS = ("voc2012", "moco", "pairs", "camvid")
_VOC = (
  "background",
  "aeroplane",
  "bicycle",
  "bird",
  "boat",
  "bottle",
  "bus",
  "car",
  "cat",
  "chair",
  "cow",
  "diningtable",
  "dog",
  "horse",
  "motorbike",
  "person",
  "pottedplant",
  "sheep",
  "sofa",
  "train",
  "tvmonitor",
)
_CAMVID = (
  "sky",
  "building",
  "pole",
  "road",
  "pavement",
  "tree",
  "sign",
  "fence",
  "car",
  "pedestrian",
  "cyclist",
)


def get_config(preset: str = "voc2012") -> ml_collections.ConfigDict:
  """Returns the paper's settings, or smaller ones."""
  if preset not in _PRESETS:
    raise ValueError(
      f"configs/eval/segmentation.py has the presets {', '.join(_PRESETS)},"
      f" not {preset!r}."
    )
  config = ml_collections.ConfigDict()
  config.protocol = "segmentation"
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
  config.data.images_folder = "JPEGImages"  # Below path and prefix.
  config.data.targets_folder = "SegmentationClassAug"  # Of the masks.
  # Of train, by which the rate is chosen, if there are several.
  config.data.hold_out_images = 2119

  config.segmentation = ml_collections.ConfigDict()
  config.segmentation.num_classes = 21  # Without void.
  config.segmentation.class_names = _VOC  # Empty: their numbers.
  config.segmentation.void_label = 255  # Neither trained nor scored.
  config.segmentation.crop_px = (513, 513)  # Height and width.
  config.segmentation.test_px = (513, 513)  # Middle of the picture, padded.
  config.segmentation.scales = (0.5, 2.0)  # Lowest and highest.
  config.segmentation.flip = 0.5  # Probability.
  config.segmentation.last_dilation = 2  # 1: the last group halves, too.
  config.segmentation.head_channels = (256, 256)  # Of 3x3 convolutions.
  config.segmentation.head_dilation = 6  # Pixels from tap to tap.

  config.network = _random_network()

  config.training = ml_collections.ConfigDict()
  config.training.frozen = "none"  # Or trunk, or encoder.
  config.training.batch_statistics = True  # Of the encoder's norms.
  config.training.batch_size = 16  # Pictures a step, all devices together.
  config.training.num_steps = 30_000
  config.training.warmup_steps = 0  # The rate rises from 0.
  config.training.drops = (0.7, 0.9)  # Of the steps: the rate falls.
  config.training.drop_factor = 0.1  # What it is multiplied by.
  config.training.compute_dtype = "float32"  # Or bfloat16.

  config.optimizer = ml_collections.ConfigDict()
  # Five, evenly spaced in the logarithm from 1e-3 to 1e-1.
  config.optimizer.learning_rates = (
    1e-3,
    10**-2.5,
    1e-2,
    10**-1.5,
    1e-1,
  )
  config.optimizer.weight_decay = 1e-4
  config.optimizer.momentum = 0.9

  config.evaluation = ml_collections.ConfigDict()
  config.evaluation.batch_size = 16
  config.evaluation.every_steps = 5000  # On what is held out; 0: at the end.
  config.evaluation.pictures = 16  # Drawn beside the truth.

  config.checkpoint = ml_collections.ConfigDict()
  config.checkpoint.every_steps = 1000  # 0: only at the end.
  config.checkpoint.keep = 1
  if preset == "moco":
    _as_moco(config)
  elif preset != "voc2012":
    _use_pairs(config)
  if preset == "camvid":
    _shrink(config)
  return config.lock()


def _as_moco(config: ml_collections.ConfigDict) -> None:
  """MoCo's appendix: one rate, tested on pictures of their own size."""
  config.data.hold_out_images = 0
  config.optimizer.learning_rates = (0.003,)
  config.evaluation.batch_size = 8
  # No picture of VOC has a side above 500; the rest is padding.
  config.segmentation.test_px = (513, 513)


def _use_pairs(config: ml_collections.ConfigDict) -> None:
  """Two folders, images and masks, of the same names."""
  config.data.images_folder = "images"
  config.data.targets_folder = "masks"
  config.data.hold_out_images = 0
  config.segmentation.class_names = ()
  config.optimizer.learning_rates = (0.01,)


def _shrink(config: ml_collections.ConfigDict) -> None:
  """CamVid at 320x240 with a small encoder, for two cores."""
  config.data.train_prefix = "camvid/train"
  config.data.test_prefix = "camvid/val"
  config.segmentation.num_classes = 11
  config.segmentation.class_names = _CAMVID
  config.segmentation.void_label = 11
  config.segmentation.crop_px = (176, 240)
  config.segmentation.test_px = (240, 320)
  config.segmentation.head_channels = (64, 64)
  config.network.image_px = 64
  config.network.encoder = "resnet8"
  config.network.width_multiplier = 2
  config.training.batch_size = 8
  config.training.num_steps = 800
  config.optimizer.learning_rates = (0.03,)
  config.evaluation.batch_size = 8
  config.evaluation.every_steps = 0
  config.evaluation.pictures = 8
  config.checkpoint.every_steps = 250


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
