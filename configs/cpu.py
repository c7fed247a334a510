"""BYOL on small patches of photographs: a first run, for any CPU.

python -m byol_jax.main --config=configs/cpu.py

Nothing is downloaded: the patches are cut from the photographs that
scikit-image and scikit-learn bring along, and a class is the photograph that a
patch comes from. Time and score: two to three minutes on two cores; mean of
three seeds 74 % by k-NN and 77 % linear, the untrained network 66 % and 63 %.
"""

import ml_collections


def get_config(preset: str = "") -> ml_collections.ConfigDict:
  """Returns the settings; there are no presets."""
  if preset:
    raise ValueError(f"configs/cpu.py has no presets, so not {preset!r}.")
  config = ml_collections.ConfigDict()
  config.seed = 0
  config.init_from = ""  # A workdir whose weights to begin with.
  config.log_every = 10  # Steps.

  config.data = ml_collections.ConfigDict()
  config.data.source = "photo_patches"
  config.data.tfds_name = ""
  config.data.data_dir = ""
  config.data.train_split = "train"
  config.data.test_split = "test"
  config.data.train_path = ""
  config.data.test_path = ""
  config.data.train_prefix = ""
  config.data.test_prefix = ""
  config.data.labelled = True
  config.data.train_images = 0  # A fixed choice of so many; 0: all.
  config.data.corrupt = "fatal"
  config.data.image_px = 16  # Of patches of 32: small maps are what is fast.
  config.data.views = "memory"  # All work on the device, no TensorFlow.

  config.augment = ml_collections.ConfigDict()
  config.augment.set = "baseline"  # Or one of augment/sets.py.
  # Both views alike: weak colours, since colour tells photographs apart, and no
  # blur, which leaves too little to see at this size.
  config.augment.view1 = _view()
  config.augment.view2 = _view()

  config.network = ml_collections.ConfigDict()
  config.network.encoder = "resnet8"
  config.network.width_multiplier = 1
  config.network.stem = "cifar"
  config.network.zero_init_last_scale = False
  config.network.encoder_norm = "batch"  # Or layer, group, none, affine.
  config.network.norm_groups = 16  # Of group norms.
  config.network.weight_standardization = False  # Of encoder and heads.
  config.network.projector_hidden = (256,)
  config.network.predictor_hidden = (256,)
  config.network.projection_dim = 64
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
  config.training.batch_size = 128  # Images a step, all devices together.
  config.training.num_epochs = 40.0
  config.training.warmup_epochs = 1.0
  config.training.schedule_epochs = 0.0  # Of the rate's cosine; 0: the run's.
  config.training.micro_batches = 1  # Parts of a batch, one after the other.
  config.training.max_skipped_steps = 0  # Not finite: left out, not fatal.
  config.training.shard_state = False  # A part for each device of a host.
  config.training.compute_dtype = "float32"  # Or bfloat16, of the encoder.

  config.optimizer = ml_collections.ConfigDict()
  config.optimizer.name = "adamw"  # Learns faster than LARS at this scale.
  config.optimizer.base_learning_rate = 0.01  # Per 256 images.
  config.optimizer.weight_decay = 1e-3
  config.optimizer.momentum = 0.9
  config.optimizer.trust_coefficient = 1e-3
  config.optimizer.clip_trust = False
  config.optimizer.projector_multiplier = 1.0  # Of its learning rate.
  config.optimizer.predictor_multiplier = 1.0

  config.target = ml_collections.ConfigDict()
  # Or stop_gradient or online (no second network), or fixed (as drawn).
  config.target.kind = "moving_average"
  config.target.starts_as_copy = False  # Of the online network.
  config.target.base_decay = 0.98
  config.target.constant = False  # It rises to 1, a cosine.

  config.evaluation = ml_collections.ConfigDict()
  config.evaluation.every_epochs = 10.0  # 0: only at the end.
  config.evaluation.batch_size = 256
  config.evaluation.knn_images = 10_000  # Of the training set; 0: no k-NN.
  config.evaluation.knn_neighbours = 20
  config.evaluation.knn_temperature = 0.07
  config.evaluation.probe_images = 10_000  # 0: no logistic regression.
  config.evaluation.baselines = True

  config.checkpoint = ml_collections.ConfigDict()
  config.checkpoint.every_epochs = 5.0  # 0: only at the end.
  config.checkpoint.keep = 2
  return config.lock()


def _view() -> ml_collections.ConfigDict:
  """The distribution of a view."""
  view = ml_collections.ConfigDict()
  view.crop_area = (0.08, 1.0)
  view.crop_ratio = (3 / 4, 4 / 3)
  view.flip = 0.5
  view.jitter = 0.8
  view.brightness = 0.2
  view.contrast = 0.2
  view.saturation = 0.2
  view.hue = 0.05
  view.grayscale = 0.1
  view.blur = 0.0
  view.blur_sigma = (0.1, 2.0)
  view.blur_divider = 10.0
  view.solarize = 0.0
  view.solarize_threshold = 0.5
  return view
