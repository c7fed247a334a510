"""Scores while a network trains, and the table at the end of its run."""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import ml_collections
from etils import epath

from byol_jax import checkpoint, inputs, intact, metrics, parallel
from byol_jax.data import sources
from byol_jax.evaluation import features, online, probe
from byol_jax.types import Variables


class _Part(NamedTuple):
  """Pictures that a network is shown; `limit` None is all of them."""

  source: sources.Source
  limit: int | None = None


def make_scores(
  config: ml_collections.ConfigDict,
  data: inputs.Inputs,
  encode: features.Encode,
) -> Callable[[Variables], dict[str, float]]:
  """Builds what scores a network on the test split, or its rank without one.

  The training pictures are chosen once, not at each evaluation: TensorFlow
  keeps whatever it was given to read until the program ends.

  Args:
    config: a validated config.
    data: the opened data.
    encode: from `features.make_encode`.

  Returns:
    A function of the replicated variables of the online network to scores as
    `online.scores` has them; without a test split `train_effective_rank` alone.
  """
  count = config.evaluation.knn_images
  if data.test is None:
    count = online.MAX_RANK_IMAGES
  train = _some(config, data, count)

  def scores(variables):
    bank = _extract(config, data, train, encode, variables) if train else None
    if data.test is None:
      return {"train_effective_rank": _rank(bank)}
    test = _extract(config, data, _Part(data.test), encode, variables)
    return online.scores(test, bank, data.num_classes, _knn(config))

  return scores


def finish(
  config: ml_collections.ConfigDict,
  data: inputs.Inputs,
  encode: features.Encode,
  networks: Mapping[str, Variables],
  workdir: str,
) -> dict[str, Any]:
  """Compares networks with each other and with plain features.

  Args:
    config: a validated config; `evaluation.baselines` adds pixels and colours.
    data: the opened data.
    encode: from `features.make_encode`.
    networks: replicated online variables by name.
    workdir: where `summary.json` goes.

  Returns:
    What `summary.json` holds: `scores` by name of the features, shares in
    [0, 1] (of the probe, or without labels, test split or probe images those
    of `make_scores`), `checkpoint`, `config` and `device`.
  """
  rows = {}
  if not (data.test and data.num_classes and config.evaluation.probe_images):
    scores = make_scores(config, data, encode)
    for name, variables in networks.items():
      rows[name] = scores(variables)
  else:
    bank = _some(config, data, config.evaluation.probe_images)
    kinds = [(name, encode, variables) for name, variables in networks.items()]
    if config.evaluation.baselines:
      kinds += [(name, x, None) for name, x in features.plain_encodes().items()]
    for name, function, variables in kinds:
      rows[name] = _row(config, data, bank, function, variables)
  results = {
    "scores": rows,
    "checkpoint": os.path.join(workdir, checkpoint.FOLDER),
    "config": _plain(config),
    "device": f"{parallel.num_devices()} x {jax.devices()[0].device_kind}",
  }
  if parallel.host() == 0:
    intact.write_whole(json.dumps(results, indent=2), _path(workdir))
  return results


def earlier(
  config: ml_collections.ConfigDict, workdir: str
) -> dict[str, Any] | None:
  """What `finish` found in an earlier run of the same config, if anything.

  A damaged summary, which lacks what a report names, is none.
  """
  results = intact.read(_path(workdir))
  return results if _is_whole(results, _plain(config)) else None


def report(results: Mapping[str, Any], workdir: str) -> None:
  """Prints the table, and where everything is, on one host."""
  if parallel.host() == 0:
    if results["scores"]:
      print(table(results["scores"]))
    print(f"Checkpoint: {results['checkpoint']}")
    print(f"Summary: {_path(workdir)}")


def _is_whole(results: Any, config: Mapping[str, Any]) -> bool:
  """Whether a summary is of this config and has all that `report` needs."""
  try:
    if results["config"] != config or not results["checkpoint"]:
      return False
    return not results["scores"] or bool(table(results["scores"]))
  except (LookupError, TypeError, ValueError, AttributeError, StopIteration):
    return False


def _row(config, data, part, encode, variables) -> dict[str, float]:
  """k-NN and linear accuracy of one kind of features."""
  bank, test = (
    _extract(config, data, each, encode, variables)
    for each in (part, _Part(data.test))
  )
  return {
    "knn_top1": online.knn_top1(test, bank, data.num_classes, _knn(config)),
    "linear_top1": probe.linear_top1(bank, test, config.seed),
  }


def _some(config, data, count) -> _Part | None:
  """So many training pictures, if they are of any use."""
  if data.test is not None and not (count and data.num_classes):
    return None
  chosen = inputs.subset(data.train, count, config.seed)
  return _Part(chosen, min(count, sources.size(data.train)))


def _extract(config, data, part, encode, variables) -> features.Features:
  size = config.evaluation.batch_size
  batches = inputs.eval_batches(data, part.source, size)
  return features.extract(encode, variables, batches, part.limit)


def _rank(some: features.Features) -> float:
  """Directions that the representation uses."""
  return float(metrics.effective_rank(some.representation))


def _knn(config: ml_collections.ConfigDict) -> online.KNN:
  evaluation = config.evaluation
  return online.KNN(evaluation.knn_neighbours, evaluation.knn_temperature)


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
  """Scores as text, a line for each kind of features; shares in per cent."""
  columns = list(next(iter(rows.values())))
  width = max(map(len, rows))
  head = "".join(f"{column:>{_column_width(column)}}" for column in columns)
  lines = [" " * width + head]
  for name, scores in rows.items():
    cells = "".join(_cell(column, scores[column]) for column in columns)
    lines.append(f"{name:<{width}}{cells}")
  return "\n".join(lines)


def _column_width(name: str) -> int:
  return max(14, len(name) + 2)


def _cell(column: str, score: float) -> str:
  """A share in per cent; ranks, the only other scores, as they are."""
  shown = score if column.endswith("rank") else 100.0 * score
  return f"{shown:{_column_width(column)}.1f}"


def _path(workdir: str) -> epath.Path:
  return epath.Path(workdir) / "summary.json"


def _plain(config: ml_collections.ConfigDict) -> dict[str, Any]:
  """The config as JSON has it."""
  return json.loads(config.to_json_best_effort())
