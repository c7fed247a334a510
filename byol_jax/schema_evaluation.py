"""What a config of an evaluation with labels may hold: each key's range."""

from collections.abc import Mapping

from byol_jax import rules

# Those of schema_dense, too.
_PROTOCOLS = (
  "knn",
  "logistic",
  "classify",
  "segmentation",
  "detection",
  "depth",
)

_COMMON = {
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
  "evaluation.batch_size": rules.count(1),
  "evaluation.geometry": rules.choice("crop_then_resize", "resize_then_crop"),
  "evaluation.crop_share": rules.share(),
}


def rules_of(
  encoder: Mapping[str, rules.Rule], view: Mapping[str, rules.Rule]
) -> Mapping[str, Mapping[str, rules.Rule]]:
  """The keys of each protocol.

  Args:
    encoder: those that shape an encoder.
    view: those of a distribution of views.
  """
  common = {**_COMMON, **encoder}
  return {
    "knn": {
      **common,
      "knn.neighbours": rules.counts(),
      "knn.temperature": rules.positive(),
    },
    "logistic": {
      **common,
      "logistic.strengths": rules.numbers(2, 0.0, 1e30, ordered=True),
      "logistic.num_strengths": rules.count(2),
    },
    "classify": {
      **common,
      "log_every": rules.count(1),
      "augment.kind": rules.choice("view", "pretraining", "none"),
      **{f"augment.view.{key}": rule for key, rule in view.items()},
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
  }
