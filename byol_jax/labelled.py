"""Opens labelled data in three parts: train, valid and test."""

import logging
import pathlib
from types import ModuleType
from typing import NamedTuple

import ml_collections
import numpy as np

from byol_jax.data import (
  benchmark_sets,
  identity,
  memory,
  opening,
  problems,
  selection,
  sources,
  splits,
)

# The metric of pictures that may belong to several classes.
_MULTI_LABEL = "map11"


class Parts(NamedTuple):
  """Data of one evaluation.

  Attributes:
    train: for fitting, without what is held out.
    valid: for choosing; None when nothing is held out.
    test: for the score.
    class_names: the same numbering in all parts.
    metric: "top1", "mean_per_class" or "map11"; with the last, labels are
      [n, num_classes] of 1, 0 and -1 (not to be counted).
    reads: `data.memory` or `data.pipeline`, which make batches of the sources.
  """

  train: sources.Source
  valid: sources.Source | None
  test: sources.Source
  class_names: tuple[str, ...]
  metric: str
  reads: ModuleType


def open_parts(
  data: ml_collections.ConfigDict, set_name: str, seed: int
) -> Parts:
  """Opens the parts that the `data` section of an evaluation names.

  Args:
    data: the section; every host finds the same parts.
    set_name: of `benchmark_sets.SETS` when `data.source` is "set"; else unused.
    seed: of what is held out and of the share that trains.

  Returns:
    The opened parts; decoded into memory only if `data.views` says so.

  Raises:
    ValueError: a part is missing or does not fit, in one sentence.
  """
  expected = None
  if data.source == "set":
    expected = _benchmark_set(set_name)
    data = _of_set(data, set_name, expected)
  train, valid, test = (opening.with_access(x, data.views) for x in _open(data))
  _check_labels(train, valid, test)
  train, valid = _divided(data, train, valid, test, seed)
  if expected:
    _check_set(set_name, expected, (train, valid, test))
  if data.train_share < 1:
    selection.check_access(train)
    labels = selection.labels(train)
    chosen = splits.balanced_share(labels, data.train_share, seed)
    train = selection.select(train, chosen)
  names = train.class_names
  if data.views == "memory":
    train, valid, test = (
      memory.pooled(x, data.stored_px or None) for x in (train, valid, test)
    )
    _check_labels(train, valid, test)
    return Parts(train, valid, test, names, data.metric, memory)
  # TensorFlow takes seconds to import: only those who need it wait.
  from byol_jax.data import pipeline

  return Parts(train, valid, test, names, data.metric, pipeline)


def combined(parts: Parts) -> sources.Source:
  """Train and then valid, for the last fit once valid has chosen.

  Raises:
    ValueError: the two parts are of different kinds, or TFRecord streams.
  """
  if parts.valid is None:
    return parts.train
  return selection.concatenate(parts.train, parts.valid)


def digest(parts: Parts) -> str:
  """A short text that differs when pictures, labels or classes do.

  Of sets that are read record by record only sizes and classes count: the
  config names their version and splits.
  """
  return identity.digest((parts.train, parts.valid, parts.test))


def _benchmark_set(name: str) -> benchmark_sets.BenchmarkSet:
  if name not in benchmark_sets.SETS:
    raise ValueError(
      f"no benchmark set is called {name!r}: choose one of"
      f" {', '.join(benchmark_sets.SETS)}."
    )
  return benchmark_sets.SETS[name]


def _of_set(
  data: ml_collections.ConfigDict,
  name: str,
  chosen: benchmark_sets.BenchmarkSet,
) -> ml_collections.ConfigDict:
  """The section that names a benchmark set's parts."""
  root = pathlib.Path(data.sets_root, name)
  in_folder = bool(data.sets_root) and root.is_dir()
  if not in_folder and not chosen.tfds_name:
    given = "valid," if chosen.hold_out == "given" else ""
    raise ValueError(
      f"TFDS does not have {name}: put its pictures into"
      f" {data.sets_root or '<data.sets_root>'}/{name}/{{train,{given}test}}/"
      "<class> and name that root as data.sets_root."
    )
  named = ml_collections.ConfigDict(data.to_dict())
  named.metric = chosen.metric
  if data.hold_out != "none":
    named.hold_out = chosen.hold_out
    named.hold_out_images = chosen.hold_out_images
  if in_folder:
    named.source = "folder"
    for part in ("train", "valid", "test"):
      named[f"{part}_path"], named[f"{part}_prefix"] = str(root / part), ""
    if data.hold_out != "none" and (root / "valid").is_dir():
      named.hold_out = "given"
    return named
  named.source = "tfds"
  named.tfds_name, named.valid_tfds_name = chosen.tfds_name, ""
  named.train_split, named.valid_split, named.test_split = (
    chosen.train_split,
    chosen.valid_split,
    chosen.test_split,
  )
  return named


def _open(
  data: ml_collections.ConfigDict,
) -> tuple[sources.Source, sources.Source | None, sources.Source]:
  """Train, valid where it is a part of its own, and test."""
  labels = "many" if data.metric == _MULTI_LABEL else "one"
  train = opening.open_part(data, "train", labels)
  valid = None
  if data.hold_out == "given":
    valid = opening.open_part(data, "valid", labels, train.class_names)
  return (
    train,
    valid,
    opening.open_part(data, "test", labels, train.class_names),
  )


def _divided(data, train, valid, test, seed: int):
  """Train and valid once the rule has held out its part of train."""
  if data.hold_out in ("given", "none"):
    return train, valid
  selection.check_access(train)
  held = _held_out(data, train, test, seed)
  left = splits.others(sources.size(train), held)
  if not left.size:
    raise ValueError(
      f"data.hold_out={data.hold_out} leaves none of {sources.size(train)}"
      " images to train on."
    )
  return selection.select(train, left), selection.select(train, held)


def _held_out(data, train, test, seed: int) -> np.ndarray:
  """Positions in train."""
  size, count = sources.size(train), data.hold_out_images
  if data.hold_out == "per_class" and count:
    return splits.per_class(selection.labels(train), count, seed)
  share = count / size if count else data.hold_out_share
  total = count or round(share * size)
  if data.hold_out == "last":
    return splits.last(size, total)
  if data.hold_out == "random":
    return splits.random_part(size, total, seed)
  labels = selection.labels(train)
  if data.hold_out == "like_test":
    return splits.like_other(labels, selection.labels(test), total, seed)
  return splits.proportional(labels, share, seed)


def _check_labels(*parts: sources.Source | None) -> None:
  """Refuses labels that are no class, where labels are known by now."""
  known = sources.ArraySource | sources.EncodedSource
  for name, part in zip(("train", "valid", "test"), parts, strict=True):
    if isinstance(part, known) and part.labels.ndim == 1:
      missing = np.count_nonzero(part.labels < 0)
      if missing:
        raise ValueError(
          f"{missing} of {sources.size(part)} pictures of the {name} part have"
          f" no class (label {part.labels.min()}), as in the test splits of"
          " TFDS whose labels are hidden: name another split."
        )
      problems.check_labels(part.labels, part.class_names)


def _check_set(name: str, expected: benchmark_sets.BenchmarkSet, parts) -> None:
  """Says so when a set is not the paper's."""
  num_classes = len(parts[0].class_names)
  if num_classes != expected.num_classes:
    logging.warning(
      "%s has %d classes here; the paper's has %d.",
      *(name, num_classes, expected.num_classes),
    )
  found = tuple(sources.size(part) if part else 0 for part in parts)
  if parts[1] is not None and found != expected.sizes:
    logging.warning(
      "%s has %d train, %d valid and %d test images here; the paper's %s has"
      " %d, %d and %d.",
      *(name, *found, name, *expected.sizes),
    )
