"""BYOL with ResNet-18 on CIFAR-10, after the recipe of solo-learn.

python -m byol_jax.main --config=configs/cifar10.py
python -m byol_jax.main --config=configs/cifar10.py \
  --config.data.source=folder --config.data.views=memory \
  --config.data.train_path=cifar/train --config.data.test_path=cifar/test

The preset `cifar10.py:cpu` is a small network for two cores. The second command
reads folders (or tar archives) that hold one folder a class and keeps the
pictures on the device. solo-learn reports 92.58 % by linear evaluation after
1000 epochs in half precision; here it is float32, and the online classifier
shares the optimizer of the network; our time and score are not measured yet.
`:cpu` takes about 40 minutes and reaches 46 % by k-NN and 50 % by logistic
regression on JPEG copies of CIFAR-10 (docs/reproduction.md).
"""

import ml_collections


def get_config(preset: str = "1000") -> ml_collections.ConfigDict:
  """Returns the settings: of solo-learn ("1000"), or smaller ones."""
  if preset not in ("1000", "cpu", "desk"):
    raise ValueError(
      f"configs/cifar10.py has the presets 1000, cpu and desk, not {preset!r}."
    )
  config = ml_collections.ConfigDict()
  config.seed = 0
  config.init_from = ""  # A workdir whose weights to begin with.
  config.log_every = 50  # Steps.

  config.data = ml_collections.ConfigDict()
  config.data.source = "tfds"
  config.data.tfds_name = "cifar10"
  config.data.data_dir = ""  # Empty: where TFDS keeps its data.
  config.data.train_split = "train"
  config.data.test_split = "test"
  config.data.train_path = ""
  config.data.test_path = ""
  config.data.train_prefix = ""
  config.data.test_prefix = ""
  config.data.labelled = True
  config.data.train_images = 0  # A fixed choice of so many; 0: all.
  config.data.corrupt = "fatal"
  config.data.image_px = 32
  config.data.views = "device"  # The host crops, the device does the colours.

  config.augment = ml_collections.ConfigDict()
  config.augment.set = "baseline"  # Or one of augment/sets.py.
  config.augment.view1 = _view(blur=0.0, solarize=0.0)
  config.augment.view2 = _view(blur=0.0, solarize=0.2)

  config.network = ml_collections.ConfigDict()
  config.network.encoder = "resnet18"
  config.network.width_multiplier = 1
  config.network.stem = "cifar"
  config.network.zero_init_last_scale = False
  config.network.encoder_norm = "batch"  # Or layer, group, none, affine.
  config.network.norm_groups = 16  # Of group norms.
  config.network.weight_standardization = False  # Of encoder and heads.
  config.network.projector_hidden = (4096,)
  config.network.predictor_hidden = (4096,)
  config.network.projection_dim = 256
  config.network.projector_norm = "batch"  # Or layer, group, none, affine.
  config.network.predictor_norm = "batch"
  config.network.projector_output_norm = False  # Also after the last layer.
  config.network.head_bias = False  # Of the heads' last layers.
  config.network.predictor = "mlp"  # Or none, or least_squares.
  config.network.norm_decay = 0.9
  config.network.norm_epsilon = 1e-5
  # Of the training pictures.
  config.network.mean_rgb = (0.4914, 0.4822, 0.4465)
  config.network.std_rgb = (0.2470, 0.2435, 0.2616)

  config.objective = ml_collections.ConfigDict()
  config.objective.negative_weight = 0.0  # beta: 0 is BYOL, 1 is InfoNCE.
  config.objective.temperature = 0.1  # alpha, of the negatives.
  config.objective.negatives = "batch"  # Or "queue".
  config.objective.queue_size = 65_536
  config.objective.normalization = "l2"  # Or layer, batch, none.
  config.objective.symmetric = True  # Each view predicts the other.
  config.objective.scale = 1.0  # Factor on the loss.

  config.training = ml_collections.ConfigDict()
  config.training.batch_size = 256  # Images a step, all devices together.
  config.training.num_epochs = 1000.0
  config.training.warmup_epochs = 10.0
  config.training.schedule_epochs = 0.0  # Of the rate's cosine; 0: the run's.
  config.training.micro_batches = 1  # Parts of a batch, one after the other.
  config.training.max_skipped_steps = 0  # Not finite: left out, not fatal.
  config.training.shard_state = False  # A part for each device of a host.
  config.training.compute_dtype = "float32"  # Or bfloat16, of the encoder.

  config.optimizer = ml_collections.ConfigDict()
  config.optimizer.name = "lars"
  config.optimizer.base_learning_rate = 1.0  # Per 256 images.
  config.optimizer.weight_decay = 1e-5
  config.optimizer.momentum = 0.9
  config.optimizer.trust_coefficient = 0.02
  config.optimizer.clip_trust = True
  config.optimizer.projector_multiplier = 1.0  # Of its learning rate.
  config.optimizer.predictor_multiplier = 1.0

  config.target = ml_collections.ConfigDict()
  # Or stop_gradient or online (no second network), or fixed (as drawn).
  config.target.kind = "moving_average"
  config.target.starts_as_copy = False  # Of the online network.
  config.target.base_decay = 0.99
  config.target.constant = False  # It rises to 1, a cosine.

  config.evaluation = ml_collections.ConfigDict()
  config.evaluation.every_epochs = 20.0  # 0: only at the end.
  config.evaluation.batch_size = 256
  config.evaluation.knn_images = 50_000  # Of the training set; 0: no k-NN.
  config.evaluation.knn_neighbours = 20
  config.evaluation.knn_temperature = 0.07
  config.evaluation.probe_images = 50_000  # 0: no logistic regression.
  config.evaluation.baselines = True

  config.checkpoint = ml_collections.ConfigDict()
  config.checkpoint.every_epochs = 5.0  # 0: only at the end.
  config.checkpoint.keep = 3
  if preset != "1000":
    _shrink(config)
  if preset == "desk":
    _shrink_further(config)
  return config.lock()


def _shrink(config: ml_collections.ConfigDict) -> None:
  """Ten epochs of a small network on small views, for two cores."""
  config.data.image_px = 16
  config.network.encoder = "resnet8"
  config.network.width_multiplier = 2
  config.network.projector_hidden = (512,)
  config.network.predictor_hidden = (512,)
  config.network.projection_dim = 128
  config.training.batch_size = 128
  config.training.num_epochs = 10.0
  config.training.warmup_epochs = 0.5
  config.evaluation.every_epochs = 1.0
  config.evaluation.knn_images = 10_000
  config.evaluation.probe_images = 10_000
  config.checkpoint.every_epochs = 0.25


def _shrink_further(config: ml_collections.ConfigDict) -> None:
  """A minute or two on one core, for tables of many runs (experiments/)."""
  config.log_every = 125
  config.data.views = "memory"
  config.data.train_images = 20_000
  config.data.test_split = ""  # The evaluations look at it, not this run.
  config.network.width_multiplier = 1
  config.network.projector_hidden = (256,)
  config.network.predictor_hidden = (256,)
  config.network.projection_dim = 64
  # Many small steps: with 128 pictures in each BYOL hardly begins.
  config.training.batch_size = 32
  config.training.num_epochs = 4.0
  config.training.warmup_epochs = 0.25
  # LARS learns too slowly in so few steps.
  config.optimizer.name = "sgd"
  config.optimizer.base_learning_rate = 0.8
  config.optimizer.weight_decay = 5e-4
  config.evaluation.every_epochs = 0.0
  config.evaluation.knn_images = 0
  config.evaluation.probe_images = 0
  config.evaluation.baselines = False
  config.checkpoint.every_epochs = 1.0
  config.checkpoint.keep = 1


def _view(blur: float, solarize: float) -> ml_collections.ConfigDict:
  """The paper's distribution of one view (T, T')."""
  view = ml_collections.ConfigDict()
  view.crop_area = (0.08, 1.0)
  view.crop_ratio = (3 / 4, 4 / 3)
  view.flip = 0.5
  view.jitter = 0.8
  view.brightness = 0.4
  view.contrast = 0.4
  view.saturation = 0.2
  view.hue = 0.1
  view.grayscale = 0.2
  view.blur = blur
  view.blur_sigma = (0.1, 2.0)
  view.blur_divider = 10.0
  view.solarize = solarize
  view.solarize_threshold = 0.5
  return view
