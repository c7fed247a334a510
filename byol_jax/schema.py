"""What a config may hold: every key, its type and its range, as data."""

import difflib
from collections.abc import Collection, Mapping

from byol_jax import rules, schema_dense, schema_evaluation

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
  "training.shard_state": rules.flag(),
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

# Keys of each protocol.
EVALUATION_RULES: Mapping[str, Mapping[str, rules.Rule]] = {
  **schema_evaluation.rules_of(_ENCODER, _VIEW),
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
    allowed = rules.choice(*EVALUATION_RULES).allowed
    raise ValueError(f"protocol must be {allowed}, not {protocol!r}.")
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
