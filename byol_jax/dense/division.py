"""Training, held-out and test part of a dense task."""

import concurrent.futures
import logging
import os
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
    DataError: a part is missing or has no object, or more is held out than
      there is.
  """
  count = config.data.hold_out_images
  try:
    everything, test = (opener.open_part(config, x) for x in ("train", "test"))
    object_counts.check_some(test, _place(config.data, "test"), "a score")
    if len(config.optimizer.learning_rates) == 1:
      _warn_of_hold_out(count)
      _check_training(everything, config)
      return Parts(everything, None, everything, test)
    held = _held_out(config.protocol, everything.num_images, count, config.seed)
    valid = annotated.select(everything, held)
    object_counts.check_some(valid, f"data.hold_out_images={count}", "a score")
    left = splits.others(everything.num_images, held)
    train = annotated.select(everything, left)
    _check_training(train, config)
  except ValueError as error:
    raise problems.DataError(str(error)) from error
  return Parts(train, valid, everything, test)


def check_scored(config: ml_collections.ConfigDict, parts: Parts) -> None:
  """Reads what is scored, which would else fail after the training only.

  Training pictures show in the first epoch what is wrong with them, and what
  TFDS has prepared has no files that somebody drew.

  Args:
    config: a validated config of a dense task.
    parts: of its data.

  Raises:
    DataError: a picture or its target cannot be read, or they do not fit.
  """
  if config.data.source == "tfds":
    return
  for part in filter(None, (parts.test, parts.valid)):
    _read_all(part)


def sizes(parts: Parts) -> dict[str, int]:
  """Pictures of each part that there is."""
  return {name: x.num_images for name, x in _named(parts).items()}


def described(parts: Parts) -> str:
  """Pictures of each part, and objects where their number is known."""
  said = []
  for name, part in _named(parts).items():
    objects = object_counts.total(part)
    with_objects = "" if objects is None else f" with {objects:,} objects"
    said.append(f"{part.num_images:,} {name}{with_objects}")
  return ", ".join(said)


def digest(parts: Parts) -> str:
  """A short text that differs when pictures or classes do."""
  return identity.digest((parts.everything, parts.test))


def _read_all(source: annotated.AnnotatedSource) -> None:
  """Whole pictures, too: a damaged one would end the test as well."""

  def read(position):
    source.read(position)  # Kept by nobody: together they could fill memory.

  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
    try:
      for _ in threads.map(read, range(source.num_images)):
        pass
    except ValueError as error:
      raise problems.DataError(str(error)) from error


def _named(parts: Parts) -> dict[str, annotated.AnnotatedSource]:
  named = {"train": parts.train, "valid": parts.valid, "test": parts.test}
  return {name: part for name, part in named.items() if part}


def _warn_of_hold_out(count: int) -> None:
  """Says that a setting has no effect: a preset may have it for its rates."""
  if count:
    logging.warning(
      "data.hold_out_images=%d holds nothing out: optimizer.learning_rates has"
      " one rate, so that none is to be chosen.",
      count,
    )


def _check_training(train: annotated.AnnotatedSource, config) -> None:
  place = _place(config.data, "train")
  object_counts.check_some(train, place, "training")


def _place(data, part: str) -> str:
  """What names a part."""
  key = f"{part}_split" if data.source == "tfds" else f"{part}_path"
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
