"""MoCo v2 with ResNet-50 on ImageNet (arXiv 2003.04297).

python -m byol_jax.main --config=configs/moco_v2.py --workdir=runs/moco
python -m byol_jax.main --config=configs/moco_v2.py:800 --workdir=runs/moco_800

The presets are epochs; the paper has 67.5 % by linear evaluation after 200 and
71.1 % after 800. One view of each picture is a query, the other its key, and
65,536 earlier keys are the negatives. The loss here is 2 alpha times theirs, so
the scale is 1 / (2 alpha). Theirs has batch norm by GPU with shuffled keys;
ours is over all devices. Our time and score: not measured.
"""

import ml_collections

# By preset.
_PRESETS = {"200": 200.0, "800": 800.0}


def get_config(preset: str = "200") -> ml_collections.ConfigDict:
  """Returns the settings; the presets are epochs."""
  if preset not in _PRESETS:
    raise ValueError(
      f"configs/moco_v2.py has the presets {', '.join(_PRESETS)}, not"
      f" {preset!r}."
    )
  config = ml_collections.ConfigDict()
  config.seed = 0
  config.init_from = ""  # A workdir whose weights to begin with.
  config.log_every = 100  # Steps.

  config.data = ml_collections.ConfigDict()
  config.data.source = "tfds"
  config.data.tfds_name = "imagenet2012"
  config.data.data_dir = ""  # Empty: where TFDS keeps its data.
  config.data.train_split = "train"
  config.data.test_split = "validation"
  config.data.train_path = ""
  config.data.test_path = ""
  config.data.train_prefix = ""
  config.data.test_prefix = ""
  config.data.labelled = True
  config.data.train_images = 0  # A fixed choice of so many; 0: all.
  config.data.corrupt = "fatal"
  config.data.image_px = 224
  config.data.views = "device"  # The host crops, the device does the colours.

  config.augment = ml_collections.ConfigDict()
  config.augment.set = "baseline"  # Or one of augment/sets.py.
  config.augment.view1 = _view()  # Both views alike.
  config.augment.view2 = _view()

  config.network = ml_collections.ConfigDict()
  config.network.encoder = "resnet50"
  config.network.width_multiplier = 1
  config.network.stem = "imagenet"
  config.network.zero_init_last_scale = False
  config.network.encoder_norm = "batch"  # Or layer, group, none, affine.
  config.network.norm_groups = 16  # Of group norms.
  config.network.weight_standardization = False  # Of encoder and heads.
  config.network.projector_hidden = (2048,)
  config.network.predictor_hidden = (4096,)
  config.network.projection_dim = 128
  config.network.projector_norm = "none"  # Or batch, layer, group, affine.
  config.network.predictor_norm = "batch"
  config.network.projector_output_norm = False  # Also after the last layer.
  config.network.head_bias = True  # Of the heads' last layers.
  config.network.predictor = "none"  # Or mlp, or least_squares.
  config.network.norm_decay = 0.9
  config.network.norm_epsilon = 1e-5
  config.network.mean_rgb = (0.485, 0.456, 0.406)
  config.network.std_rgb = (0.229, 0.224, 0.225)

  config.objective = ml_collections.ConfigDict()
  config.objective.negative_weight = 1.0  # beta: 0 is BYOL, 1 is InfoNCE.
  config.objective.temperature = 0.2  # alpha, of the negatives.
  config.objective.negatives = "queue"  # Or "batch".
  config.objective.queue_size = 65_536
  config.objective.normalization = "l2"  # Or layer, batch, none.
  config.objective.symmetric = False  # View 1 asks, view 2 is the key.
  config.objective.scale = 2.5  # Factor on the loss, 1 / (2 alpha).

  config.training = ml_collections.ConfigDict()
  config.training.batch_size = 256  # Images a step, all devices together.
  config.training.num_epochs = _PRESETS[preset]
  config.training.warmup_epochs = 0.0
  config.training.schedule_epochs = 0.0  # Of the rate's cosine; 0: the run's.
  config.training.micro_batches = 1  # Parts of a batch, one after the other.
  config.training.max_skipped_steps = 0  # Not finite: left out, not fatal.
  config.training.shard_state = False  # A part for each device of a host.
  config.training.compute_dtype = "float32"  # Or bfloat16, of the encoder.

  config.optimizer = ml_collections.ConfigDict()
  config.optimizer.name = "sgd"
  config.optimizer.base_learning_rate = 0.03  # Per 256 images.
  config.optimizer.weight_decay = 1e-4  # Of all parameters.
  config.optimizer.momentum = 0.9
  config.optimizer.trust_coefficient = 1e-3  # Of LARS.
  config.optimizer.clip_trust = False
  config.optimizer.projector_multiplier = 1.0  # Of its learning rate.
  config.optimizer.predictor_multiplier = 1.0

  config.target = ml_collections.ConfigDict()
  # Or stop_gradient or online (no second network), or fixed (as drawn).
  config.target.kind = "moving_average"
  config.target.starts_as_copy = True  # Of the online network.
  config.target.base_decay = 0.999
  config.target.constant = True

  config.evaluation = ml_collections.ConfigDict()
  config.evaluation.every_epochs = 25.0  # 0: only at the end.
  config.evaluation.batch_size = 256
  config.evaluation.knn_images = 100_000  # Of the training set; 0: no k-NN.
  config.evaluation.knn_neighbours = 20
  config.evaluation.knn_temperature = 0.07
  config.evaluation.probe_images = 0  # 0: no logistic regression.
  config.evaluation.baselines = False

  config.checkpoint = ml_collections.ConfigDict()
  config.checkpoint.every_epochs = 5.0  # 0: only at the end.
  config.checkpoint.keep = 3
  return config.lock()


def _view() -> ml_collections.ConfigDict:
  """MoCo v2's views; brightness is added, as in BYOL."""
  view = ml_collections.ConfigDict()
  view.crop_area = (0.2, 1.0)
  view.crop_ratio = (3 / 4, 4 / 3)
  view.flip = 0.5
  view.jitter = 0.8
  view.brightness = 0.4
  view.contrast = 0.4
  view.saturation = 0.4
  view.hue = 0.1
  view.grayscale = 0.2
  view.blur = 0.5
  view.blur_sigma = (0.1, 2.0)
  view.blur_divider = 10.0
  view.solarize = 0.0
  view.solarize_threshold = 0.5
  return view
