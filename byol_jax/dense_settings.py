"""What the settings of a dense task have to do with each other."""

from collections.abc import Mapping
from typing import Any

from byol_jax.data import places


def check(values: Mapping[str, Any]) -> None:
  """Checks what single values cannot show.

  Args:
    values: settings by dotted key, each allowed by `schema_dense`.

  Raises:
    ValueError: two values contradict each other, or a path is missing.
  """
  _check_encoder(values)
  _check_training(values)
  for part in ("train", "test"):
    path = values[f"data.{part}_path"]
    if path:
      places.check_local(f"data.{part}_path", path)
  if values["protocol"] == "segmentation":
    _check_classes(values)
  if values["protocol"] == "depth":
    _check_depth(values)


def _check_encoder(values: Mapping[str, Any]) -> None:
  encoder = values["encoder"]
  if encoder in ("", "pixels"):
    raise ValueError(f"encoder={encoder!r}: name a workdir, or random.")
  drawn = encoder == "random"
  for key in ("like",) if drawn else ("encoder", "like"):
    if values[key]:
      places.check(key, values[key])
  if values["like"] and not drawn:
    raise ValueError(
      f"like={values['like']} is for encoder=random; encoder={encoder} has an"
      " architecture of its own."
    )


def _check_training(values: Mapping[str, Any]) -> None:
  rates = values["optimizer.learning_rates"]
  if len(rates) > 1 and not values["data.hold_out_images"]:
    raise ValueError(
      f"optimizer.learning_rates={rates} are several, and"
      " data.hold_out_images=0 leaves nothing to choose by."
    )
  warmup, steps = values["training.warmup_steps"], values["training.num_steps"]
  if warmup >= steps:
    raise ValueError(
      f"training.warmup_steps={warmup} must be below"
      f" training.num_steps={steps}."
    )


def _check_classes(values: Mapping[str, Any]) -> None:
  names = values["segmentation.class_names"]
  number = values["segmentation.num_classes"]
  if names and len(names) != number:
    raise ValueError(
      f"segmentation.class_names has {len(names)} names, and"
      f" segmentation.num_classes={number}: give as many, or none,"
      ' --config.segmentation.class_names="()".'
    )


def _check_depth(values: Mapping[str, Any]) -> None:
  """Checks that loss and scale, and the parts of the data, fit together."""
  scale, loss = values["data.depth_scale"], values["depth.loss"]
  if not scale and loss == "reverse_huber":
    raise ValueError(
      "depth.loss=reverse_huber needs metres, and data.depth_scale=0 says that"
      " there are none: set depth.loss=scale_invariant."
    )
  learns_scale = loss == "reverse_huber" or values["depth.invariance"] < 1
  if scale and not learns_scale:
    raise ValueError(
      f"depth.invariance={values['depth.invariance']} learns no scale, and"
      f" data.depth_scale={scale} has depth scored in metres: lower the first,"
      " or set data.depth_scale=0."
    )
  sizes = values["depth.image_px"], values["depth.resized_px"]
  if any(crop > whole for crop, whole in zip(*sizes, strict=True)):
    raise ValueError(
      f"depth.image_px={sizes[0]} is cut out of depth.resized_px={sizes[1]},"
      " and cannot be larger."
    )
  _check_depth_parts(values)


def _check_depth_parts(values: Mapping[str, Any]) -> None:
  path, share = values["data.test_path"], values["data.test_share"]
  if values["data.source"] == "tfds":
    given = values["data.train_path"] or path or share
    if given:
      raise ValueError(
        f"data.source=tfds has its own parts: {given} (data.train_path,"
        " data.test_path, data.test_share) is for data.source=pairs."
      )
  elif bool(path) == bool(share):
    raise ValueError(
      f"data.test_path={path!r} and data.test_share={share}: give the one or"
      " the other."
    )
