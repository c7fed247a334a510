"""Training, held-out and test part of a dense task."""

from types import ModuleType
from typing import NamedTuple

import ml_collections

from byol_jax.data import annotated, identity, problems, splits
from byol_jax.dense import object_counts

# Frames of one room follow each other: random ones would be known by theirs.
_IN_ORDER = ("depth",)


class Parts(NamedTuple):
  """Data of a dense task.

  Attributes:
    train: without what is held out.
    valid: for choosing; None where nothing is held out.
    everything: train and valid.
    test: for the scores.
  """

  train: annotated.AnnotatedSource
  valid: annotated.AnnotatedSource | None
  everything: annotated.AnnotatedSource
  test: annotated.AnnotatedSource


def open_parts(config: ml_collections.ConfigDict, opener: ModuleType) -> Parts:
  """Opens the data of a config.

  Args:
    config: a validated config of a dense task.
    opener: module of the task.

  Returns:
    The parts; something is held out only where several rates are tried.

  Raises:
    DataError: a part is missing, more is held out than there is, or a part that
      is scored has no object.
  """
  count = config.data.hold_out_images
  try:
    everything, test = (opener.open_part(config, x) for x in ("train", "test"))
    object_counts.check_some(test, _place(config.data))
    if len(config.optimizer.learning_rates) == 1:
      return Parts(everything, None, everything, test)
    held = _held_out(config.protocol, everything.num_images, count, config.seed)
    valid = annotated.select(everything, held)
    object_counts.check_some(valid, f"data.hold_out_images={count}")
  except ValueError as error:
    raise problems.DataError(str(error)) from error
  left = splits.others(everything.num_images, held)
  return Parts(annotated.select(everything, left), valid, everything, test)


def sizes(parts: Parts) -> dict[str, int]:
  """Pictures of each part that there is."""
  named = {"train": parts.train, "valid": parts.valid, "test": parts.test}
  return {name: x.num_images for name, x in named.items() if x}


def digest(parts: Parts) -> str:
  """A short text that differs when pictures or classes do."""
  return identity.digest((parts.everything, parts.test))


def _place(data) -> str:
  """What names the test part."""
  key = "test_split" if data.source == "tfds" else "test_path"
  return f"data.{key}={data[key]}"


def _held_out(protocol: str, num_images: int, count: int, seed: int):
  """Positions of the last pictures, or of any."""
  if count >= num_images:
    raise ValueError(
      f"data.hold_out_images={count} of {num_images} training pictures leaves"
      " none to train on."
    )
  if protocol in _IN_ORDER:
    return splits.last(num_images, count)
  return splits.random_part(num_images, count, seed)
