"""What a config may hold: every key, its type and its range, as data."""

import difflib
from collections.abc import Collection, Mapping

from byol_jax import rules, schema_dense

_VIEW = {
  "crop_area": rules.numbers(2, 0.0, 1.0, ordered=True),
  "crop_ratio": rules.numbers(2, 0.0, 100.0, ordered=True),
  "flip": rules.number(0, 1),
  "jitter": rules.number(0, 1),
  "brightness": rules.number(0, 1),
  "contrast": rules.number(0, 1),
  "saturation": rules.number(0, 1),
  "hue": rules.number(0, 0.5),
  "grayscale": rules.number(0, 1),
  "blur": rules.number(0, 1),
  "blur_sigma": rules.numbers(2, 0.0, 100.0, ordered=True),
  "blur_divider": rules.positive(),
  "solarize": rules.number(0, 1),
  "solarize_threshold": rules.number(0, 1),
}

_NORMS = ("batch", "layer", "group", "none", "affine")

# What shapes an encoder.
_ENCODER = {
  "network.encoder": rules.choice(
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnet200",
    "resnet8",
    "resnet20",
    "tiny_resnet",
    "one_conv",
  ),
  "network.width_multiplier": rules.count(1),
  "network.stem": rules.choice("imagenet", "cifar"),
  "network.zero_init_last_scale": rules.flag(),
  "network.encoder_norm": rules.choice(*_NORMS),
  "network.norm_groups": rules.count(1),
  "network.weight_standardization": rules.flag(),
  "network.norm_decay": rules.decay(),
  "network.norm_epsilon": rules.positive(),
  "network.mean_rgb": rules.numbers(3, -1.0, 1.0, ordered=False),
  "network.std_rgb": rules.numbers(3, 0.0, 1.0, ordered=False),
}

RULES: Mapping[str, rules.Rule] = {
  "seed": rules.count(0),
  "init_from": rules.text(),
  "log_every": rules.count(1),
  "data.source": rules.choice("tfds", "folder", "photo_patches"),
  "data.tfds_name": rules.text(),
  "data.data_dir": rules.text(),
  "data.train_split": rules.text(),
  "data.test_split": rules.text(),
  "data.train_path": rules.text(),
  "data.test_path": rules.text(),
  "data.train_prefix": rules.text(),
  "data.test_prefix": rules.text(),
  "data.labelled": rules.flag(),
  "data.train_images": rules.count(0),
  "data.corrupt": rules.choice("skip", "fatal", "unchecked"),
  "data.image_px": rules.side(),
  "data.views": rules.choice("host", "device", "memory"),
  "augment.set": rules.choice(
    "baseline",
    "no_flip",
    "no_blur",
    "no_color",
    "no_jitter",
    "no_grayscale",
    "no_blur_in_view2",
    "no_solarize_in_view2",
    "no_blur_nor_solarize_in_view2",
    "symmetric",
    "crop_only",
    "crop_and_flip",
    "crop_and_color",
    "crop_and_blur",
  ),
  **{f"augment.view1.{key}": rule for key, rule in _VIEW.items()},
  **{f"augment.view2.{key}": rule for key, rule in _VIEW.items()},
  **_ENCODER,
  "network.projector_hidden": rules.sizes(),
  "network.predictor_hidden": rules.sizes(),
  "network.projection_dim": rules.count(1),
  "network.projector_norm": rules.choice(*_NORMS),
  "network.predictor_norm": rules.choice(*_NORMS),
  "network.projector_output_norm": rules.flag(),
  "network.head_bias": rules.flag(),
  "network.predictor": rules.choice("mlp", "none", "least_squares"),
  "objective.negative_weight": rules.number(0),
  "objective.temperature": rules.positive(),
  "objective.negatives": rules.choice("batch", "queue"),
  "objective.queue_size": rules.count(1),
  "objective.normalization": rules.choice("l2", "layer", "batch", "none"),
  "objective.symmetric": rules.flag(),
  "objective.scale": rules.positive(),
  "training.batch_size": rules.count(1),
  "training.num_epochs": rules.positive(),
  "training.warmup_epochs": rules.number(0),
  "training.schedule_epochs": rules.number(0),
  "training.micro_batches": rules.count(1),
  "training.max_skipped_steps": rules.count(0),
  "training.compute_dtype": rules.choice("float32", "bfloat16"),
  "optimizer.name": rules.choice("lars", "sgd", "adamw"),
  "optimizer.base_learning_rate": rules.number(0),
  "optimizer.weight_decay": rules.number(0),
  "optimizer.momentum": rules.decay(),
  "optimizer.trust_coefficient": rules.positive(),
  "optimizer.clip_trust": rules.flag(),
  "optimizer.projector_multiplier": rules.number(0),
  "optimizer.predictor_multiplier": rules.number(0),
  "target.kind": rules.choice(
    "moving_average", "stop_gradient", "online", "fixed"
  ),
  "target.starts_as_copy": rules.flag(),
  "target.base_decay": rules.number(0, 1),
  "target.constant": rules.flag(),
  "evaluation.every_epochs": rules.number(0),
  "evaluation.batch_size": rules.count(1),
  "evaluation.knn_images": rules.count(0),
  "evaluation.knn_neighbours": rules.count(1),
  "evaluation.knn_temperature": rules.positive(),
  "evaluation.probe_images": rules.count(0),
  "evaluation.baselines": rules.flag(),
  "checkpoint.every_epochs": rules.number(0),
  "checkpoint.keep": rules.count(1),
}


_PROTOCOLS = (
  "knn",
  "logistic",
  "classify",
  "segmentation",
  "detection",
  "depth",
)

# Keys of every evaluation of one label a picture.
_EVALUATION = {
  "seed": rules.count(0),
  "protocol": rules.choice(*_PROTOCOLS),
  "encoder": rules.text(),
  "like": rules.text(),
  "data.source": rules.choice("tfds", "folder", "photo_patches", "set"),
  "data.sets": rules.names(),
  "data.sets_root": rules.text(),
  "data.tfds_name": rules.text(),
  "data.valid_tfds_name": rules.text(),
  "data.data_dir": rules.text(),
  **{
    f"data.{part}_{kind}": rules.text()
    for part in ("train", "valid", "test")
    for kind in ("split", "path", "prefix")
  },
  "data.corrupt": rules.choice("skip", "fatal", "unchecked"),
  "data.hold_out": rules.choice(
    "given", "last", "random", "per_class", "balanced", "like_test", "none"
  ),
  "data.hold_out_images": rules.count(0),
  "data.hold_out_share": rules.number(0, 0.9),
  "data.train_share": rules.number(1e-6, 1),
  "data.metric": rules.choice("top1", "mean_per_class", "map11"),
  "data.image_px": rules.count(0),
  "data.stored_px": rules.count(0),
  "data.views": rules.choice("host", "device", "memory"),
  "network.image_px": rules.side(),
  **_ENCODER,
  "evaluation.batch_size": rules.count(1),
  "evaluation.geometry": rules.choice("crop_then_resize", "resize_then_crop"),
  "evaluation.crop_share": rules.share(),
}

# Keys of each protocol.
EVALUATION_RULES: Mapping[str, Mapping[str, rules.Rule]] = {
  "knn": {
    **_EVALUATION,
    "knn.neighbours": rules.counts(),
    "knn.temperature": rules.positive(),
  },
  "logistic": {
    **_EVALUATION,
    "logistic.strengths": rules.numbers(2, 0.0, 1e30, ordered=True),
    "logistic.num_strengths": rules.count(2),
  },
  "classify": {
    **_EVALUATION,
    "log_every": rules.count(1),
    "augment.kind": rules.choice("view", "pretraining", "none"),
    **{f"augment.view.{key}": rule for key, rule in _VIEW.items()},
    "augment.randaugment_layers": rules.count(0),
    "augment.randaugment_magnitude": rules.number(0, 10),
    "training.frozen": rules.flag(),
    "training.refit": rules.flag(),
    "training.batch_size": rules.count(1),
    "training.num_epochs": rules.options(0),
    "training.num_steps": rules.count(0),
    "training.warmup_epochs": rules.number(0),
    "training.norm_decay_from_epoch": rules.flag(),
    "training.label_smoothing": rules.decay(),
    "training.logit_clip": rules.number(0),
    "training.logit_penalty": rules.number(0),
    "optimizer.learning_rates": rules.options(0),
    "optimizer.weight_decays": rules.options(0),
    "optimizer.decay_over_rate": rules.flag(),
    "optimizer.momentum": rules.decay(),
    "evaluation.every_epochs": rules.number(0),
    "checkpoint.every_steps": rules.count(0),
    "checkpoint.keep": rules.count(1),
  },
  **schema_dense.rules_of(_ENCODER),
}


def of(protocol: str | None) -> Mapping[str, rules.Rule]:
  """The keys of a kind of config.

  Args:
    protocol: `config.protocol` of an evaluation, None for pretraining.

  Raises:
    ValueError: there is no such protocol.
  """
  if protocol is None:
    return RULES
  if not isinstance(protocol, str) or protocol not in EVALUATION_RULES:
    raise ValueError(
      f"protocol must be {_EVALUATION['protocol'].allowed}, not {protocol!r}."
    )
  return EVALUATION_RULES[protocol]


def check_key(key: str, known: Collection[str] | None = None) -> None:
  """Refuses a key that no config has.

  Args:
    key: sections and name, joined by dots.
    known: the keys that there are; None for those of all kinds of configs.

  Raises:
    ValueError: naming the closest key.
  """
  if known is None:
    known = set(RULES).union(*EVALUATION_RULES.values())
  if key not in known:
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; the closest key is {close[0]}" if close else ""
    raise ValueError(f"The config has an unknown key {key}{hint}.")
