"""What the settings of an evaluation have to do with each other."""

import os
from collections.abc import Mapping
from typing import Any

from byol_jax.data import benchmark_sets, places


def check(values: Mapping[str, Any]) -> None:
  """Checks what single values cannot show.

  Args:
    values: settings by dotted key, each allowed by `schema`.

  Raises:
    ValueError: two values contradict each other, or a path is missing.
  """
  encoder = values["encoder"]
  if not encoder:
    raise ValueError("encoder is empty: name a workdir, random or pixels.")
  drawn = encoder in ("random", "pixels")
  for key in ("like",) if drawn else ("encoder", "like"):
    if values[key]:
      places.check(key, values[key])
  if values["like"] and not drawn:
    raise ValueError(
      f"like={values['like']} is for encoder=random and pixels; "
      f"encoder={encoder} has an architecture of its own."
    )
  if encoder == "pixels" and not values["like"] and not values["data.image_px"]:
    raise ValueError(
      "encoder=pixels needs a size, of which its features grow: set "
      "data.image_px, or like to a workdir whose size to take."
    )
  _check_labelled(values)
  if values["protocol"] == "classify":
    _check_training(values)


def _check_labelled(values: Mapping[str, Any]) -> None:
  """Checks that the labelled parts are named and that what is local exists."""
  source, sets = values["data.source"], values["data.sets"]
  if (source == "set") != bool(sets):
    raise ValueError(
      f"data.source={source} does not go with data.sets={sets}: the sets are "
      "for data.source=set."
    )
  _check_sets(values)
  needed = {
    "tfds": ("data.tfds_name", "data.train_split", "data.test_split"),
    "folder": ("data.train_path", "data.test_path"),
  }
  for key in needed.get(source, ()):
    if not values[key]:
      raise ValueError(f"data.source={source} needs {key}, which is empty.")
  for part in ("train", "valid", "test"):
    path = values[f"data.{part}_path"]
    if path and source != "folder":
      raise ValueError(
        f"data.{part}_path={path} is for data.source=folder, not {source}."
      )
    if path:
      places.check_local(f"data.{part}_path", path)
  none, votes = values["data.hold_out"] == "none", values["protocol"] == "knn"
  # A set brings its own rule, but for what chooses nothing.
  if none != votes and (none or source != "set"):
    raise ValueError(
      f"data.hold_out={values['data.hold_out']} does not go with "
      f"protocol={values['protocol']}: only k-NN chooses nothing."
    )
  if values["data.hold_out"] not in ("given", "none"):
    _check_hold_out(values)
  if values["data.stored_px"] and values["data.views"] != "memory":
    raise ValueError(
      f"data.stored_px={values['data.stored_px']} is for data.views=memory, not"
      f" {values['data.views']}."
    )
  _check_refit(values)


def _check_sets(values: Mapping[str, Any]) -> None:
  for name in values["data.sets"]:
    if name not in benchmark_sets.SETS:
      raise ValueError(
        f"data.sets has {name!r}, which is none of"
        f" {', '.join(benchmark_sets.SETS)}."
      )
  root = values["data.sets_root"]
  if root and not os.path.isdir(root):
    raise ValueError(f"data.sets_root={root} is not a folder.")


def _check_refit(values: Mapping[str, Any]) -> None:
  """Of a share, the last fit would get the labels of all held-out pictures."""
  refits = values["protocol"] == "logistic" or values.get("training.refit")
  if refits and values["data.train_share"] < 1:
    raise ValueError(
      f"data.train_share={values['data.train_share']} must be 1 where the last "
      "fit is on train and valid (protocol=logistic, training.refit=True)."
    )


def _check_hold_out(values: Mapping[str, Any]) -> None:
  count = values["data.hold_out_images"]
  share = values["data.hold_out_share"]
  if not count and not share:
    raise ValueError(
      f"data.hold_out={values['data.hold_out']} needs data.hold_out_images or "
      "data.hold_out_share; both are 0."
    )
  if values["data.hold_out"] == "last" and values["data.source"] == "folder":
    raise ValueError(
      "data.hold_out=last would hold out the last classes of a folder, whose "
      "pictures are sorted: balanced and random are for folders."
    )


def _check_training(values: Mapping[str, Any]) -> None:
  """Checks the settings of linear evaluation and fine-tuning."""
  frozen, kind = values["training.frozen"], values["augment.kind"]
  if values["encoder"] == "pixels" and not frozen:
    raise ValueError("encoder=pixels has no weights: set training.frozen=True.")
  if kind == "none" and values["augment.randaugment_layers"]:
    raise ValueError(
      "augment.kind=none shows every picture alike: set "
      "augment.randaugment_layers to 0."
    )
  if kind == "none" and not frozen:
    raise ValueError(
      "augment.kind=none caches features: it goes with training.frozen=True."
    )
  if values["data.metric"] == "map11" and values["training.label_smoothing"]:
    raise ValueError(
      "training.label_smoothing is for one label a picture, not for "
      "data.metric=map11."
    )
  zero = 0 in values["optimizer.learning_rates"]
  if zero and values["optimizer.decay_over_rate"]:
    raise ValueError(
      "optimizer.decay_over_rate divides by the learning rate, which must not "
      "be 0."
    )
  if frozen and values["optimizer.decay_over_rate"]:
    raise ValueError(
      "optimizer.decay_over_rate is for fine-tuning: training.frozen=False."
    )
  if not values["training.num_steps"] and 0 in values["training.num_epochs"]:
    raise ValueError("training.num_epochs must be above 0.")
