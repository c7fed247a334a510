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
