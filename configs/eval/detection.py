"""Object detection: Faster R-CNN (R50-C4) on the encoder (paper, Table 4a).

python -m byol_jax.main --config=configs/eval/detection.py \
  --config.encoder=runs/r50

`voc2007` is the paper's protocol (BYOL: 77.5 % AP50), read by TFDS, or with
`--config.data.source=voc` from a folder in VOC's layout; `coco` takes COCO 2017
and its own mAP. The paper says both that the encoder is fine-tuned and that it
is frozen: `--config.training.frozen=trunk` is the second. Our scores at this
scale are not measured.

The paper trains on nine asynchronous workers for 1.5 M steps, each of one
worker. Here a step is synchronous, over pictures of all devices. With eight of
them 1.5 M / 8 steps see as many pictures; and the rates stay, since momentum
0.9 in a mean over eight moves the weights by 10 / 8 of the rate for each
picture, about as a step of one worker does without momentum, whose delay acts
as a momentum of 1 - 1 / 9 (arXiv 1605.09774). With another batch size, the
number of steps changes inversely and the rates in proportion.

`coco128` is a check that all of the detector learns, for a small encoder on two
cores (half an hour): it is trained and tested on the same 128 pictures. AP50 is
87.6 % then (docs/detection.md).
"""

import ml_collections

_PRESETS = ("voc2007", "coco", "coco128")


def get_config(preset: str = "voc2007") -> ml_collections.ConfigDict:
  """Returns the paper's settings, or those for another set."""
  if preset not in _PRESETS:
    raise ValueError(
      f"configs/eval/detection.py has the presets {', '.join(_PRESETS)}, not"
      f" {preset!r}."
    )
  config = ml_collections.ConfigDict()
  config.protocol = "detection"
  config.seed = 0
  config.encoder = ""  # A workdir or checkpoint, or "random".
  config.like = ""  # Of random: whose architecture.
  config.log_every = 20  # Steps.

  config.data = ml_collections.ConfigDict()
  config.data.source = "tfds"  # Or voc or yolo, a folder or tar.
  config.data.tfds_name = "voc/2007"
  config.data.data_dir = ""
  config.data.train_split = "train+validation"
  config.data.test_split = "test"
  config.data.train_path = ""  # A folder or tar; the rest is for those.
  config.data.train_prefix = ""  # A sub-folder, such as VOCdevkit/VOC2007.
  config.data.train_list = "ImageSets/Main/trainval.txt"  # Empty: all.
  config.data.test_path = ""
  config.data.test_prefix = ""
  config.data.test_list = "ImageSets/Main/test.txt"  # As train_list.
  config.data.images_folder = "JPEGImages"  # Below path and prefix.
  config.data.targets_folder = "Annotations"  # Of the boxes.
  config.data.hold_out_images = 0  # Of train, to choose the rate by.

  config.detection = _detector()

  config.network = _random_network()

  config.training = ml_collections.ConfigDict()
  config.training.frozen = "none"  # Or trunk, or encoder.
  config.training.batch_statistics = False  # Of the encoder's norms.
  config.training.batch_size = 8  # Pictures a step, all devices together.
  config.training.num_steps = 187_500
  config.training.warmup_steps = 500  # Ours: the first proposals are noise.
  config.training.drops = (2 / 3, 0.8)  # Of the steps: the rate falls.
  config.training.drop_factor = 0.1  # What it is multiplied by.
  config.training.compute_dtype = "float32"  # Or bfloat16.

  config.optimizer = ml_collections.ConfigDict()
  config.optimizer.learning_rates = (1e-3,)
  config.optimizer.weight_decay = 1e-4  # Not in the paper; as elsewhere.
  config.optimizer.momentum = 0.9

  config.evaluation = ml_collections.ConfigDict()
  config.evaluation.batch_size = 8
  config.evaluation.every_steps = 0  # On what is held out; 0: at the end.
  config.evaluation.pictures = 16  # Drawn beside the truth.

  config.checkpoint = ml_collections.ConfigDict()
  config.checkpoint.every_steps = 1000  # 0: only at the end.
  config.checkpoint.keep = 1
  if preset == "coco":
    _use_coco(config)
  if preset == "coco128":
    _shrink(config)
  return config.lock()


def _detector() -> ml_collections.ConfigDict:
  """Numbers without a comment are those of Faster R-CNN and its C4 form."""
  detection = ml_collections.ConfigDict()
  detection.num_classes = 20  # Without background.
  detection.metric = "ap50_11"  # Or ap50, map, map50, map75.
  detection.max_boxes = 64  # Of a picture; each has room for so many.
  # Longest edges, each a program of its own; the paper draws from 480 to 1024.
  detection.train_px = (480, 608, 736, 864, 1024)
  detection.test_px = 800  # Not in the paper; Faster R-CNN's on VOC.
  detection.flip = 0.0  # The paper: no other augmentation.
  detection.anchor_sizes = (32.0, 64.0, 128.0, 256.0, 512.0)  # Pixels.
  detection.anchor_ratios = (0.5, 1.0, 2.0)  # Height over width.
  detection.proposal_channels = 512  # Of the 3x3 convolution.
  detection.proposal_overlap = 0.7  # Above it the better one stays.
  detection.train_candidates = 12_000  # Anchors before suppression.
  detection.train_proposals = 2000  # Boxes after it.
  detection.test_candidates = 6000  # As train_candidates.
  detection.test_proposals = 1000  # As train_proposals.
  detection.sampled_anchors = 256  # Trained on, of each picture.
  detection.sampled_boxes = 512  # Trained on by the box head.
  detection.object_share = 0.25  # Of those, at most.
  detection.pool_size = 14  # The last group halves it.
  detection.pool_samples = 2  # A cell and axis.
  detection.detection_candidates = 2000  # Classes of boxes before suppression.
  detection.detection_overlap = 0.5  # As proposal_overlap, in each class.
  detection.detections = 100  # Of a picture, at most.
  detection.lowest_score = 0.05  # Of a detection.
  return detection


def _use_coco(config: ml_collections.ConfigDict) -> None:
  """COCO 2017."""
  config.data.tfds_name = "coco/2017"
  config.data.train_split = "train"
  config.data.test_split = "validation"
  config.data.train_list = ""
  config.data.test_list = ""
  config.detection.num_classes = 80
  config.detection.metric = "map"
  config.detection.max_boxes = 128
  config.detection.flip = 0.5


def _shrink(config: ml_collections.ConfigDict) -> None:
  """The 128 pictures of COCO128, train and test, with a small encoder."""
  config.data.source = "yolo"
  config.data.train_prefix = "coco128"
  config.data.test_prefix = "coco128"
  config.data.train_list = ""
  config.data.test_list = ""
  config.data.images_folder = "images"
  config.data.targets_folder = "boxes"
  config.detection.num_classes = 80
  config.detection.metric = "ap50"
  config.detection.max_boxes = 42
  config.detection.train_px = (416,)
  config.detection.test_px = 416
  # Half of the objects are smaller than 36 pixels.
  sizes = (8.0, 12.0, 16.0, 24.0, 32.0, 64.0, 128.0, 256.0)
  config.detection.anchor_sizes = sizes
  config.detection.proposal_channels = 64
  config.detection.train_candidates = 2000
  config.detection.train_proposals = 300
  config.detection.test_candidates = 6000
  config.detection.test_proposals = 1000
  config.detection.sampled_anchors = 512
  config.detection.sampled_boxes = 64
  config.detection.object_share = 0.5
  config.detection.pool_size = 8
  config.detection.pool_samples = 2
  config.detection.detection_candidates = 1500
  config.network.image_px = 64
  config.network.encoder = "resnet8"
  config.network.width_multiplier = 2
  config.training.batch_size = 4
  config.training.num_steps = 8000
  config.training.warmup_steps = 100
  config.training.drops = (0.7, 0.9)
  config.optimizer.learning_rates = (0.02,)
  config.evaluation.batch_size = 8
  config.checkpoint.every_steps = 500


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
