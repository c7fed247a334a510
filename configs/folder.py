"""BYOL with ResNet-18 on your own pictures, in a folder or a tar archive.

python -m byol_jax.main --config=configs/folder.py \
  --config.data.train_path=pictures --workdir=runs/pictures

Labels are not needed. With `--config.data.labelled=True` each sub-folder is a
class, and with `--config.data.test_path=...` too the run is evaluated. The
recipe is that of `imagenette.py` in 300 epochs, with the target decay of the
paper's runs of that length. Time and score: they depend on the pictures.

The preset `folder.py:cpu` is a small network on views of 64 pixels, for some
thousands of pictures and two cores: 100 epochs.
"""

import ml_collections


def get_config(preset: str = "") -> ml_collections.ConfigDict:
  """Returns the settings, or smaller ones for a CPU."""
  if preset not in ("", "cpu"):
    raise ValueError(f"configs/folder.py has the preset cpu, not {preset!r}.")
  config = ml_collections.ConfigDict()
  config.seed = 0
  config.init_from = ""  # A workdir whose weights to begin with.
  config.log_every = 50  # Steps.

  config.data = ml_collections.ConfigDict()
  config.data.source = "folder"
  config.data.tfds_name = ""
  config.data.data_dir = ""
  config.data.train_split = ""
  config.data.test_split = ""
  config.data.train_path = ""  # To be given.
  config.data.test_path = ""  # Empty: no evaluation.
  config.data.train_prefix = ""  # Members of an archive to use: "train/".
  config.data.test_prefix = ""
  config.data.labelled = False
  config.data.train_images = 0  # A fixed choice of so many; 0: all.
  config.data.corrupt = "skip"
  config.data.image_px = 128
  config.data.views = "device"  # The host crops, the device does the colours.

  config.augment = ml_collections.ConfigDict()
  config.augment.set = "baseline"  # Or one of augment/sets.py.
  config.augment.view1 = _view(blur=1.0, solarize=0.0)
  config.augment.view2 = _view(blur=0.1, solarize=0.2)

  config.network = ml_collections.ConfigDict()
  config.network.encoder = "resnet18"
  config.network.width_multiplier = 1
  config.network.stem = "imagenet"
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
  config.network.mean_rgb = (0.485, 0.456, 0.406)
  config.network.std_rgb = (0.229, 0.224, 0.225)

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
  config.training.num_epochs = 300.0
  config.training.warmup_epochs = 10.0
  config.training.schedule_epochs = 0.0  # Of the rate's cosine; 0: the run's.
  config.training.micro_batches = 1  # Parts of a batch, one after the other.
  config.training.max_skipped_steps = 0  # Not finite: left out, not fatal.
  config.training.shard_state = False  # A part for each device of a host.
  config.training.compute_dtype = "float32"  # Or bfloat16, of the encoder.

  config.optimizer = ml_collections.ConfigDict()
  config.optimizer.name = "lars"
  config.optimizer.base_learning_rate = 2.0  # Per 256 images.
  config.optimizer.weight_decay = 1e-6
  config.optimizer.momentum = 0.9
  config.optimizer.trust_coefficient = 1e-3
  config.optimizer.clip_trust = False
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
  config.evaluation.knn_images = 10_000  # Of the training set; 0: no k-NN.
  config.evaluation.knn_neighbours = 20
  config.evaluation.knn_temperature = 0.07
  config.evaluation.probe_images = 10_000  # 0: no logistic regression.
  config.evaluation.baselines = False  # Fitting so many pixels takes long.

  config.checkpoint = ml_collections.ConfigDict()
  config.checkpoint.every_epochs = 5.0  # 0: only at the end.
  config.checkpoint.keep = 3
  if preset == "cpu":
    _shrink(config)
  return config.lock()


def _shrink(config: ml_collections.ConfigDict) -> None:
  """A small network on small views, for two cores."""
  config.data.image_px = 64
  config.network.encoder = "resnet8"
  config.network.width_multiplier = 2
  config.network.projector_hidden = (512,)
  config.network.predictor_hidden = (512,)
  config.network.projection_dim = 128
  # Small batches: thousands of pictures make few steps an epoch.
  config.training.batch_size = 64
  config.training.num_epochs = 100.0
  config.training.warmup_epochs = 5.0


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
