"""BYOL with ResNet-50 on ImageNet (paper, Table 1 and Appendix G).

python -m byol_jax.main --config=configs/imagenet.py --workdir=runs/r50
python -m byol_jax.main --config=configs/imagenet.py:300 --workdir=runs/r50_300
python -m byol_jax.main --config=configs/imagenet.py:one_gpu

The presets 40, 100, 300 and 1000 are epochs at batch 4096, with the settings of
the released code. The paper has 74.3 % top-1 by linear evaluation after 1000
epochs, in about 8 hours on 512 cores of Cloud TPU v3, and 72.5 % after 300; the
authors give no number for 40 and 100. `one_gpu` is the paper's run with batch
512 (73.7 %, about 4 days on 64 cores), in two parts of 256 images, which an
80 GB card should hold; the batch statistics are then those of 256 images. Our
time and score: not measured yet.

TFDS has to prepare ImageNet once from the two archives that image-net.org gives
after registration; `--config.data.data_dir` says where it is, gs:// included.
"""

import ml_collections

# Epochs, base learning rate, weight decay, base target decay, batch size,
# micro-batches.
_PRESETS = {
  "40": (40.0, 0.45, 1e-6, 0.97, 4096, 1),
  "100": (100.0, 0.45, 1e-6, 0.99, 4096, 1),
  "300": (300.0, 0.3, 1e-6, 0.99, 4096, 1),
  "1000": (1000.0, 0.2, 1.5e-6, 0.996, 4096, 1),
  "one_gpu": (1000.0, 0.4, 1.5e-6, 0.9995, 512, 2),
}


def get_config(preset: str = "1000") -> ml_collections.ConfigDict:
  """Returns the settings of one of `_PRESETS`."""
  if preset not in _PRESETS:
    known = ", ".join(_PRESETS)
    raise ValueError(
      f"configs/imagenet.py has the presets {known}, not {preset!r}."
    )
  num_epochs, learning_rate, weight_decay, target_decay, batch_size, parts = (
    _PRESETS[preset]
  )
  config = ml_collections.ConfigDict()
  config.seed = 0  # Of all that is drawn.
  config.init_from = ""  # A workdir whose weights to begin with.
  config.log_every = 100  # Steps.

  config.data = ml_collections.ConfigDict()
  config.data.source = "tfds"  # Or folder, photo_patches.
  config.data.tfds_name = "imagenet2012"  # Perhaps with :version.
  config.data.data_dir = ""  # Empty: where TFDS keeps its data.
  config.data.train_split = "train"  # Or a slice of one.
  config.data.test_split = "validation"  # Where scores come from.
  config.data.train_path = ""  # With source="folder": a folder or a tar.
  config.data.test_path = ""  # Likewise.
  config.data.train_prefix = ""  # Only what lies below it there.
  config.data.test_prefix = ""  # Likewise.
  config.data.labelled = True  # Labels are for the online classifier.
  config.data.train_images = 0  # A fixed choice of so many; 0: all.
  config.data.corrupt = "fatal"  # Pictures that are broken.
  config.data.image_px = 224  # Side of the views.
  config.data.views = "device"  # The host crops, the device does the colours.

  config.augment = ml_collections.ConfigDict()
  config.augment.set = "baseline"  # Or one of augment/sets.py.
  config.augment.view1 = _view(blur=1.0, solarize=0.0)
  config.augment.view2 = _view(blur=0.1, solarize=0.2)

  config.network = ml_collections.ConfigDict()
  config.network.encoder = "resnet50"  # Which ResNet.
  config.network.width_multiplier = 1  # Of all its channels.
  config.network.stem = "imagenet"  # Or cifar: 3x3, no pool.
  config.network.zero_init_last_scale = False  # Of each block's last norm.
  config.network.encoder_norm = "batch"  # Or layer, group, none, affine.
  config.network.norm_groups = 16  # Of group norms.
  config.network.weight_standardization = False  # Of encoder and heads.
  config.network.projector_hidden = (4096,)  # Widths between in and out.
  config.network.predictor_hidden = (4096,)  # Likewise.
  config.network.projection_dim = 256  # Also of the prediction.
  config.network.projector_norm = "batch"  # Or layer, group, none, affine.
  config.network.predictor_norm = "batch"  # Likewise.
  config.network.projector_output_norm = False  # Also after the last layer.
  config.network.head_bias = False  # Of the heads' last layers.
  config.network.predictor = "mlp"  # Or none, or least_squares.
  config.network.norm_decay = 0.9  # Of the batch norms' averages.
  config.network.norm_epsilon = 1e-5  # Beside the variance.
  config.network.mean_rgb = (0.485, 0.456, 0.406)  # Subtracted first.
  config.network.std_rgb = (0.229, 0.224, 0.225)  # Divides then.

  config.objective = ml_collections.ConfigDict()
  config.objective.negative_weight = 0.0  # beta: 0 is BYOL, 1 is InfoNCE.
  config.objective.temperature = 0.1  # alpha, of the negatives.
  config.objective.negatives = "batch"  # Or "queue".
  config.objective.queue_size = 65_536  # Projections that it holds.
  config.objective.normalization = "l2"  # Or layer, batch, none.
  config.objective.symmetric = True  # Each view predicts the other.
  config.objective.scale = 1.0  # Factor on the loss.

  config.training = ml_collections.ConfigDict()
  config.training.batch_size = (
    batch_size  # Images a step, all devices together.
  )
  config.training.num_epochs = num_epochs  # May be a fraction.
  config.training.warmup_epochs = 10.0  # Of the learning rate.
  config.training.schedule_epochs = 0.0  # Of the rate's cosine; 0: the run's.
  config.training.micro_batches = (
    parts  # Parts of a batch, one after the other.
  )
  config.training.max_skipped_steps = 0  # Not finite: left out, not fatal.
  config.training.shard_state = True  # A part for each device of a host.
  config.training.compute_dtype = "bfloat16"  # Or float32, of the encoder.

  config.optimizer = ml_collections.ConfigDict()
  config.optimizer.name = "lars"  # Or sgd, adamw.
  config.optimizer.base_learning_rate = learning_rate  # Per 256 images.
  config.optimizer.weight_decay = weight_decay  # SGD decays norms, too.
  config.optimizer.momentum = 0.9  # Of LARS and SGD.
  config.optimizer.trust_coefficient = 1e-3  # Of LARS.
  config.optimizer.clip_trust = False  # LARS scales no update up.
  config.optimizer.projector_multiplier = 1.0  # Of its learning rate.
  config.optimizer.predictor_multiplier = 1.0  # Likewise.

  config.target = ml_collections.ConfigDict()
  # Or stop_gradient or online (no second network), or fixed (as drawn).
  config.target.kind = "moving_average"
  config.target.starts_as_copy = False  # Of the online network.
  config.target.base_decay = target_decay  # At step 0.
  config.target.constant = False  # It rises to 1, a cosine.

  config.evaluation = ml_collections.ConfigDict()
  config.evaluation.every_epochs = 25.0  # 0: only at the end.
  config.evaluation.batch_size = 1024  # All devices together.
  config.evaluation.knn_images = 100_000  # Of the training set; 0: no k-NN.
  config.evaluation.knn_neighbours = 20  # How many vote.
  config.evaluation.knn_temperature = 0.07  # Of the votes.
  config.evaluation.probe_images = 0  # 0: no logistic regression.
  config.evaluation.baselines = False  # At the end, pixels and colours, too.

  config.checkpoint = ml_collections.ConfigDict()
  config.checkpoint.every_epochs = 5.0  # 0: only at the end.
  config.checkpoint.keep = 3  # So many, the newest.
  return config.lock()


def _view(blur: float, solarize: float) -> ml_collections.ConfigDict:
  """The paper's distribution of one view (T, T')."""
  view = ml_collections.ConfigDict()
  view.crop_area = (0.08, 1.0)  # Share of the picture, from and to.
  view.crop_ratio = (3 / 4, 4 / 3)  # Width over height.
  view.flip = 0.5  # Probability.
  view.jitter = 0.8  # Probability of the four that follow.
  view.brightness = 0.4  # Largest change.
  view.contrast = 0.4  # Likewise, of a factor.
  view.saturation = 0.2  # Likewise, of a factor.
  view.hue = 0.1  # Largest change, in turns.
  view.grayscale = 0.2  # Probability.
  view.blur = blur  # Probability.
  view.blur_sigma = (0.1, 2.0)  # Pixels.
  view.blur_divider = 10.0  # The kernel is side / this wide.
  view.solarize = solarize  # Probability.
  view.solarize_threshold = 0.5  # What is brighter is inverted.
  return view
