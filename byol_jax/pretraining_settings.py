"""What the settings of pretraining have to do with each other."""

from collections.abc import Mapping
from typing import Any

from byol_jax.data import places

# The stem and the groups of a ResNet for ImageNet shrink a picture 32 times.
_MIN_IMAGENET_STEM_PX = 32
# What each source cannot do without.
_NEEDED = {
  "tfds": ("data.tfds_name", "data.train_split"),
  "folder": ("data.train_path",),
  "photo_patches": (),
}


def check(values: Mapping[str, Any]) -> None:
  """Checks what single values cannot show.

  Args:
    values: settings by dotted key, each allowed by `schema`.

  Raises:
    ValueError: two values contradict each other, or a path is missing.
  """
  _check_duration(values)
  _check_objective(values)
  _check_queue(values)
  _check_predictor(values)
  _check_norms(values)
  _check_evaluation(values)
  _check_data(values)


def _check_duration(values: Mapping[str, Any]) -> None:
  warmup, total = (
    values["training.warmup_epochs"],
    values["training.num_epochs"],
  )
  if warmup >= total:
    raise ValueError(
      f"training.warmup_epochs={warmup:g} must be less than "
      f"training.num_epochs={total:g}."
    )
  cosine = values["training.schedule_epochs"]
  if 0 < cosine < total:
    raise ValueError(
      f"training.schedule_epochs={cosine:g} must be 0 or at least "
      f"training.num_epochs={total:g}: the rate would be 0 at the end."
    )


def _check_objective(values: Mapping[str, Any]) -> None:
  kind = values["objective.normalization"]
  beta = values["objective.negative_weight"]
  if beta and kind != "l2":
    raise ValueError(
      f"objective.normalization={kind} goes with objective.negative_weight=0 "
      f"only, not {beta:g}: negatives are compared by cosines."
    )


def _check_queue(values: Mapping[str, Any]) -> None:
  if values["objective.negatives"] != "queue":
    return
  if not values["objective.negative_weight"]:
    raise ValueError(
      "objective.negatives=queue needs objective.negative_weight above 0: the "
      "queue would never be used."
    )
  if values["target.kind"] == "online":
    raise ValueError(
      "objective.negatives=queue does not go with target.kind=online: no "
      "gradient reaches earlier projections."
    )
  added = values["training.batch_size"]
  if values["objective.symmetric"]:
    added *= 2
  if values["objective.queue_size"] % added:
    raise ValueError(
      f"objective.queue_size={values['objective.queue_size']} must be a "
      f"multiple of the {added} projections that a step adds."
    )


def _check_predictor(values: Mapping[str, Any]) -> None:
  predictor = values["network.predictor"]
  factor = values["optimizer.predictor_multiplier"]
  if predictor != "mlp" and factor != 1:
    raise ValueError(
      f"optimizer.predictor_multiplier={factor:g} needs network.predictor=mlp: "
      f"{predictor} has nothing to train."
    )
  part = values["training.batch_size"] // values["training.micro_batches"]
  dim = values["network.projection_dim"]
  if predictor == "least_squares" and part < dim:
    raise ValueError(
      f"network.predictor=least_squares needs at least network.projection_dim="
      f"{dim} pictures in a part of the batch, not {part}."
    )


def _check_norms(values: Mapping[str, Any]) -> None:
  """Refuses what needs a norm where there is none."""
  needed = {
    "network.weight_standardization": "network.encoder_norm",
    "network.zero_init_last_scale": "network.encoder_norm",
    "network.projector_output_norm": "network.projector_norm",
  }
  for key, norm in needed.items():
    if values[key] and values[norm] == "none":
      raise ValueError(
        f"{key}=True does not go with {norm}=none: it needs a norm there."
      )


def _check_evaluation(values: Mapping[str, Any]) -> None:
  bank = values["evaluation.knn_images"]
  neighbours = values["evaluation.knn_neighbours"]
  if 0 < bank < neighbours:
    raise ValueError(
      f"evaluation.knn_images={bank} must be 0 or at least "
      f"evaluation.knn_neighbours={neighbours}."
    )


def _check_data(values: Mapping[str, Any]) -> None:
  """Checks that the source is named and that what is local exists."""
  image_px, stem = values["data.image_px"], values["network.stem"]
  if stem == "imagenet" and image_px < _MIN_IMAGENET_STEM_PX:
    raise ValueError(
      f"data.image_px={image_px} is too small for network.stem=imagenet, which "
      f"needs {_MIN_IMAGENET_STEM_PX} or more; cifar is the stem for less."
    )
  source = values["data.source"]
  for key in _NEEDED[source]:
    if not values[key]:
      raise ValueError(f"data.source={source} needs {key}, which is empty.")
  for key in ("data.train_path", "data.test_path"):
    if values[key] and source != "folder":
      raise ValueError(
        f"{key}={values[key]} is for data.source=folder, not {source}."
      )
    if values[key]:
      places.check_local(key, values[key])
  if values["init_from"]:
    places.check("init_from", values["init_from"])
