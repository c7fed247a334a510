"""Scores while a network trains, and the table at the end of its run."""

import json
import os
from collections.abc import Mapping
from typing import Any

import jax
import ml_collections
from etils import epath

from byol_jax import checkpoint, inputs, intact, metrics, parallel
from byol_jax.data import sources
from byol_jax.evaluation import features, online, probe
from byol_jax.types import Variables


def online_scores(
  config: ml_collections.ConfigDict,
  data: inputs.Inputs,
  encode: features.Encode,
  variables: Variables,
) -> dict[str, float]:
  """Scores the online network on the test split, or its rank without one.

  Args:
    config: a validated config.
    data: the opened data.
    encode: from `features.make_encode`.
    variables: of the online network, replicated.

  Returns:
    As `online.scores`; without a test split `train_effective_rank` alone.
  """
  if data.test is None:
    return _train_rank(config, data, encode, variables)
  count = config.evaluation.knn_images
  test, bank = _test_and_bank(config, data, encode, variables, count)
  return online.scores(test, bank, data.num_classes, _knn(config))


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
    of `online_scores`), `checkpoint`, `config` and `device`.
  """
  rows = {}
  if not (data.test and data.num_classes and config.evaluation.probe_images):
    for name, variables in networks.items():
      rows[name] = online_scores(config, data, encode, variables)
  else:
    kinds = [(name, encode, variables) for name, variables in networks.items()]
    if config.evaluation.baselines:
      kinds += [(name, x, None) for name, x in features.plain_encodes().items()]
    for name, function, variables in kinds:
      rows[name] = _row(config, data, function, variables)
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


def _row(config, data, encode, variables) -> dict[str, float]:
  """k-NN and linear accuracy of one kind of features."""
  count = config.evaluation.probe_images
  test, bank = _test_and_bank(config, data, encode, variables, count)
  return {
    "knn_top1": online.knn_top1(test, bank, data.num_classes, _knn(config)),
    "linear_top1": probe.linear_top1(bank, test, config.seed),
  }


def _train_rank(config, data, encode, variables) -> dict[str, float]:
  """Directions that the representation of some training pictures uses."""
  chosen = inputs.subset(data.train, online.MAX_RANK_IMAGES, config.seed)
  batches = inputs.eval_batches(data, chosen, config.evaluation.batch_size)
  some = features.extract(encode, variables, batches, online.MAX_RANK_IMAGES)
  rank = metrics.effective_rank(some.representation)
  return {"train_effective_rank": float(rank)}


def _test_and_bank(config, data, encode, variables, count):
  """Features of the test split and of `count` training pictures, or None."""

  def of(source, limit=None):
    batches = inputs.eval_batches(data, source, config.evaluation.batch_size)
    return features.extract(encode, variables, batches, limit)

  bank = None
  if count and data.num_classes:
    chosen = inputs.subset(data.train, count, config.seed)
    bank = of(chosen, min(count, sources.size(data.train)))
  return of(data.test), bank


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
