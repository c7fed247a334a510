"""What a config of a dense task may hold: every key, its type, its range."""

from collections.abc import Mapping

from byol_jax import rules

_COMMON = {
  "seed": rules.count(0),
  "protocol": rules.text(),
  "encoder": rules.text(),
  "like": rules.text(),
  "log_every": rules.count(1),
  **{
    f"data.{part}_{kind}": rules.text()
    for part in ("train", "test")
    for kind in ("path", "prefix", "list")
  },
  "data.images_folder": rules.text(),
  "data.targets_folder": rules.text(),
  "data.hold_out_images": rules.count(0),
  "network.image_px": rules.side(),
  "training.frozen": rules.choice("none", "trunk", "encoder"),
  "training.batch_statistics": rules.flag(),
  "training.batch_size": rules.count(1),
  "training.num_steps": rules.count(1),
  "training.warmup_steps": rules.count(0),
  "training.drops": rules.shares(),
  "training.drop_factor": rules.number(0, 1),
  "training.compute_dtype": rules.choice("float32", "bfloat16"),
  "optimizer.learning_rates": rules.options(0),
  "optimizer.weight_decay": rules.number(0),
  "optimizer.momentum": rules.decay(),
  "evaluation.batch_size": rules.count(1),
  "evaluation.every_steps": rules.count(0),
  "evaluation.pictures": rules.count(0),
  "checkpoint.every_steps": rules.count(0),
  "checkpoint.keep": rules.count(1),
}

SEGMENTATION: Mapping[str, rules.Rule] = {
  "data.source": rules.choice("pairs"),
  "segmentation.num_classes": rules.count(2),
  "segmentation.class_names": rules.names(),
  "segmentation.void_label": rules.byte(),
  "segmentation.crop_px": rules.pixels(),
  "segmentation.test_px": rules.pixels(),
  "segmentation.scales": rules.numbers(2, 0.01, 100.0, ordered=True),
  "segmentation.flip": rules.number(0, 1),
  "segmentation.last_dilation": rules.count(1),
  "segmentation.head_channels": rules.sizes(),
  "segmentation.head_dilation": rules.count(1),
}

DETECTION: Mapping[str, rules.Rule] = {
  "data.source": rules.choice("tfds", "voc", "yolo"),
  "data.tfds_name": rules.text(),
  "data.data_dir": rules.text(),
  "data.train_split": rules.text(),
  "data.test_split": rules.text(),
  "detection.num_classes": rules.count(1),
  "detection.metric": rules.choice("ap50_11", "ap50", "map", "map50", "map75"),
  "detection.max_boxes": rules.count(1),
  "detection.train_px": rules.counts(),
  "detection.test_px": rules.side(),
  "detection.flip": rules.number(0, 1),
  "detection.anchor_sizes": rules.options(1),
  "detection.anchor_ratios": rules.options(0.01),
  "detection.proposal_channels": rules.count(1),
  "detection.proposal_overlap": rules.share(),
  "detection.train_candidates": rules.count(1),
  "detection.train_proposals": rules.count(1),
  "detection.test_candidates": rules.count(1),
  "detection.test_proposals": rules.count(1),
  "detection.sampled_anchors": rules.count(1),
  "detection.sampled_boxes": rules.count(1),
  "detection.object_share": rules.share(),
  "detection.pool_size": rules.count(2),
  "detection.pool_samples": rules.count(1),
  "detection.detection_candidates": rules.count(1),
  "detection.detection_overlap": rules.share(),
  "detection.detections": rules.count(1),
  "detection.lowest_score": rules.decay(),
}

DEPTH: Mapping[str, rules.Rule] = {
  "data.source": rules.choice("pairs", "tfds"),
  "data.tfds_name": rules.text(),
  "data.data_dir": rules.text(),
  "data.train_split": rules.text(),
  "data.test_split": rules.text(),
  "data.test_share": rules.decay(),
  "data.depth_scale": rules.number(0),
  "depth.resized_px": rules.pixels(),
  "depth.image_px": rules.pixels(),
  "depth.widths": rules.counts(),
  "depth.loss": rules.choice("reverse_huber", "scale_invariant"),
  "depth.invariance": rules.number(0, 1),
  "depth.zoom": rules.number(1, 8),
  "depth.flip": rules.number(0, 1),
  "depth.grayscale": rules.number(0, 1),
  "depth.brightness": rules.number(0, 1),
  "depth.saturation": rules.number(0, 1),
  "depth.hue": rules.number(0, 1),
}

TASKS: Mapping[str, Mapping[str, rules.Rule]] = {
  "segmentation": SEGMENTATION,
  "detection": DETECTION,
  "depth": DEPTH,
}

# Settings that only the test depends on: of its data, and of each task.
TEST_DATA = frozenset(
  f"data.test_{kind}" for kind in ("path", "prefix", "list", "split")
)
ONLY_TEST: Mapping[str, frozenset[str]] = {
  "segmentation": frozenset({"segmentation.test_px"}),
  "detection": frozenset(
    f"detection.{name}"
    for name in (
      "metric",
      "test_px",
      "test_candidates",
      "test_proposals",
      "detection_candidates",
      "detection_overlap",
      "detections",
      "lowest_score",
    )
  ),
  "depth": frozenset(),
}


def rules_of(
  encoder: Mapping[str, rules.Rule],
) -> Mapping[str, Mapping[str, rules.Rule]]:
  """The keys of each dense task.

  Args:
    encoder: those that shape an encoder.
  """
  return {name: {**_COMMON, **encoder, **own} for name, own in TASKS.items()}
