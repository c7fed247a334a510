"""Evaluation: joins encoder, data and protocol, and writes what came out."""

import os
import time
from collections.abc import Sequence
from typing import Any

import jax
import ml_collections

from byol_jax import checkpoint, encoders, labelled, parallel, records
from byol_jax.data import sources
from byol_jax.evaluation import frozen, results, subject, sweep, table3


class DataError(ValueError):
  """Data that is not there, or does not fit, said in one sentence."""


def find(
  config: ml_collections.ConfigDict,
) -> tuple[encoders.Encoder, ml_collections.ConfigDict]:
  """Finds the encoder, and writes its architecture and size into the config.

  Args:
    config: a validated config of an evaluation.

  Returns:
    The encoder and a copy of the config that says what is evaluated.

  Raises:
    CheckpointError: there is no encoder at that path.
  """
  encoder = subject.find(config)
  config = config.copy_and_resolve_references()
  if encoder.spec:
    config.network.update(encoder.spec._asdict())
  config.data.image_px = encoder.image_px
  return encoder, config.lock()


def default_workdir(config: ml_collections.ConfigDict, name: str) -> str:
  """Folder of an evaluation: below the encoder's run, or below `runs/eval`.

  Args:
    config: a validated config of an evaluation.
    name: of the config.
  """
  if config.encoder in ("random", "pixels"):
    return os.path.join("runs", "eval", f"{name}_{config.encoder}")
  return os.path.join(_run_of(config.encoder), "eval", name)


def describe(
  config: ml_collections.ConfigDict, encoder: encoders.Encoder
) -> str:
  """What an evaluation will do, for `--dry_run`.

  Args:
    config: from `find`.
    encoder: from `find`.

  Returns:
    Lines of text: encoder, data sets and what is trained.

  Raises:
    DataError: the data is not there.
  """
  lines = [("encoder", f"{encoder.name}, {encoder.image_px} px")]
  for set_name in config.data.sets or ("",):
    try:
      parts = _open(config, set_name)
    except ValueError as error:
      raise DataError(str(error)) from error
    counts = ", ".join(f"{n:,} {k}" for k, n in _sizes(parts).items())
    classes = f"{len(parts.class_names)} classes, {parts.metric}"
    lines.append((set_name or "data", f"{counts}; {classes}"))
  if config.protocol == "classify":
    points = sweep.points(config)
    heads = len(points[0].learning_rates)
    lines.append(("sweep", f"{len(points)} trainings of {heads} classifiers"))
  return "\n".join(f"{name:>10}  {text}" for name, text in lines)


def run(
  config: ml_collections.ConfigDict,
  encoder: encoders.Encoder,
  workdir: str,
  name: str,
) -> list[dict[str, Any]]:
  """Evaluates an encoder on one data set, or on several.

  Of several, one that is missing is named and left out; what is done in this
  workdir is not computed again.

  Args:
    config: from `find`.
    encoder: from `find`.
    workdir: gets `results.json`, with several sets in a sub-folder for each.
    name: of the config, for the report.

  Returns:
    What each `results.json` holds.

  Raises:
    DataError: the data is not there; of several sets none is.
    ValueError: the data does not fit the config.
  """
  sets = config.data.sets or ("",)
  found, missing = [], {}
  for set_name in sets:
    try:
      parts = _open(config, set_name)
    except ValueError as error:
      if len(sets) == 1:
        raise DataError(str(error)) from error
      records.say(f"Left out: {set_name}, {error}", parallel.host() == 0)
      missing[set_name] = str(error)
      continue
    place = os.path.join(workdir, set_name) if len(sets) > 1 else workdir
    found.append(_evaluate(config, encoder, parts, (place, name, set_name)))
  if not found:
    raise DataError(
      f"None of the sets {', '.join(sets)} is there: {missing[sets[0]]}"
    )
  if len(sets) > 1 and parallel.host() == 0:
    _tabulate(found, missing, workdir)
  return found


def _open(config, set_name: str) -> labelled.Parts:
  parts = labelled.open_parts(config.data, set_name, config.seed)
  if config.protocol == "knn" and parts.metric == "map11":
    raise ValueError(
      "neighbours vote for one class: k-NN takes no set whose pictures have"
      " several labels (map11)."
    )
  return parts


def _evaluate(config, encoder, parts, place: Sequence[str]) -> dict[str, Any]:
  """One protocol on one data set, or its result of an earlier time."""
  workdir, name, set_name = place
  config = _with_metric(config, parts.metric)
  sizes = _sizes(parts)
  key = results.key(config, encoder, [set_name, *sizes.values()])
  result = results.earlier(workdir, key)
  if not parallel.everywhere(result is not None)[0]:
    start = time.monotonic()
    tested = subject.prepare(config, encoder, parts)
    found = _protocol(config, tested, os.path.join(workdir, key))
    result = {
      "title": name,
      "set": set_name,
      "metric": results.metric(config),
      "split": "test",
      **found,
      "encoder": {
        "name": encoder.name,
        "image_px": encoder.image_px,
        "weights": encoders.fingerprint(tested.encoder.variables),
      },
      "sizes": sizes,
      "seed": config.seed,
      "wall_secs": round(time.monotonic() - start, 1),
      "device": f"{parallel.num_devices()} x {jax.devices()[0].device_kind}",
      "versions": checkpoint.versions(),
      "config": results.plain(config),
      "key": key,
    }
    results.write(result, workdir)
  if parallel.host() == 0:
    print(results.line(result))
    print(f"Results: {os.path.join(workdir, 'results.json')}")
  return result


def _sizes(parts: labelled.Parts) -> dict[str, int]:
  """Pictures of each part that there is."""
  named = {"train": parts.train, "valid": parts.valid, "test": parts.test}
  return {k: sources.size(part) for k, part in named.items() if part}


def _protocol(config, tested, folder) -> dict[str, Any]:
  if config.protocol == "knn":
    return frozen.run_knn(config, tested)
  if config.protocol == "logistic":
    return frozen.run_logistic(config, tested)
  return sweep.run(config, tested, folder)


def _with_metric(config, metric: str) -> ml_collections.ConfigDict:
  """The config with the metric that the data set has."""
  config = config.copy_and_resolve_references()
  config.data.metric = metric
  return config.lock()


def _tabulate(found, missing, workdir: str) -> None:
  """Prints and writes ours beside the paper's rows."""
  linear = found[0]["config"]["protocol"] == "logistic"
  paper = table3.LOGISTIC if linear else table3.FINE_TUNED
  ours = {r["set"]: results.headline(r) for r in found}
  text = table3.table(paper, ours, found[0]["encoder"]["name"])
  for name, reason in missing.items():
    text += f"\n\nMissing: {name} ({reason})"
  records.write_whole(text + "\n", os.path.join(workdir, "table.md"))
  print(text)


def _run_of(path: str) -> str:
  """The workdir of an encoder that is named by workdir, folder or step."""
  path = path.rstrip("/")
  head, tail = os.path.split(path)
  if tail.isdigit() and os.path.basename(head) == checkpoint.FOLDER:
    path, tail = head, checkpoint.FOLDER
  return os.path.dirname(path) if tail == checkpoint.FOLDER else path
