"""Training, held-out and test part of a dense task."""

from types import ModuleType
from typing import NamedTuple

import ml_collections

from byol_jax.data import annotated, identity, problems, splits


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
    DataError: a part is missing, or more is held out than there is.
  """
  count = config.data.hold_out_images
  try:
    everything, test = (opener.open_part(config, x) for x in ("train", "test"))
    if len(config.optimizer.learning_rates) == 1:
      return Parts(everything, None, everything, test)
    held = splits.random_part(everything.num_images, count, config.seed)
  except ValueError as error:
    raise problems.DataError(str(error)) from error
  left = splits.others(everything.num_images, held)
  return Parts(
    annotated.select(everything, left),
    annotated.select(everything, held),
    everything,
    test,
  )


def sizes(parts: Parts) -> dict[str, int]:
  """Pictures of each part that there is."""
  named = {"train": parts.train, "valid": parts.valid, "test": parts.test}
  return {name: x.num_images for name, x in named.items() if x}


def digest(parts: Parts) -> str:
  """A short text that differs when pictures or classes do."""
  return identity.digest((parts.everything, parts.test))
