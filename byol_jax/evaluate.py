"""Evaluation: joins encoder, data and protocol, and writes what came out."""

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

import ml_collections

from byol_jax import (
  encoders,
  inputs,
  intact,
  labelled,
  parallel,
  records,
  workdirs,
)
from byol_jax.data import problems, sources
from byol_jax.evaluation import frozen, results, subject, sweep, table3


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
  config.network.image_px = encoder.image_px
  config.data.image_px = encoder.image_px
  return encoder, config.lock()


def describe(
  config: ml_collections.ConfigDict, encoder: encoders.Encoder, workdir: str
) -> str:
  """What an evaluation will do, for `--dry_run`.

  Args:
    config: from `find`.
    encoder: from `find`.
    workdir: that it would have.

  Returns:
    Lines of text: encoder, data sets, what is trained and the workdir.

  Raises:
    DataError: the data is not there.
  """
  lines = [("encoder", f"{encoder.name}, {encoder.image_px} px")]
  for set_name, parts in _each(config):
    counts = ", ".join(f"{n:,} {k}" for k, n in _sizes(parts).items())
    classes = f"{len(parts.class_names)} classes, {parts.metric}"
    lines.append((set_name or "data", f"{counts}; {classes}"))
    if config.protocol == "classify":
      lines.append(("sweep", sweep.describe(config, sources.size(parts.train))))
  lines.append(("workdir", workdir))
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
    WorkdirError: the workdir cannot be used.
    ValueError: the data does not fit the config.
  """
  # At once, so that no result is lost to a folder that cannot be written.
  with workdirs.open_workdir(workdir, num_bytes=0):
    return _run(config, encoder, workdir, name)


def _run(config, encoder, workdir: str, name: str) -> list[dict[str, Any]]:
  several = len(config.data.sets) > 1
  found, failed = [], {}
  for set_name, parts in _each(config, failed):
    place = os.path.join(workdir, set_name) if several else workdir
    try:
      found.append(_evaluate(config, encoder, parts, (place, name, set_name)))
    except (ValueError, FloatingPointError) as error:
      # A host that went on alone would wait for the others for ever.
      if not several or parallel.num_hosts() > 1:
        raise
      _leave_out(set_name, error, failed)
  if not found:
    raise ValueError("None of the sets could be evaluated.")
  if several and parallel.host() == 0:
    _tabulate(found, failed, workdir)
  return found


def _each(
  config: ml_collections.ConfigDict, failed: dict[str, str] | None = None
) -> Iterator[tuple[str, labelled.Parts]]:
  """Opens one data set after another; of several, `failed` gets the missing."""
  failed = {} if failed is None else failed
  sets = config.data.sets or ("",)
  for set_name in sets:
    parts, failure = None, None
    try:
      parts = labelled.open_parts(config.data, set_name, config.seed)
      _check_parts(config, parts)
    except ValueError as error:
      if len(sets) == 1:
        raise problems.DataError(str(error)) from error
      failure = error
    # What one host lacks, none evaluates.
    if parallel.everywhere(failure is None).all():
      yield set_name, parts
    else:
      failure = failure or ValueError("another host cannot open it")
      _leave_out(set_name, failure, failed)
  if len(failed) == len(sets):
    raise problems.DataError(
      f"None of the sets {', '.join(sets)} is there: {failed[sets[0]]}"
    )


def _leave_out(set_name: str, error: Exception, failed: dict[str, str]) -> None:
  failed[set_name] = str(error)
  records.say(f"Left out: {set_name}, {error}", parallel.host() == 0)


def _check_parts(config, parts: labelled.Parts) -> None:
  """Refuses what would fail after the work only."""
  if parts.valid is not None and not sources.size(parts.valid):
    raise ValueError(
      f"data.hold_out={config.data.hold_out} leaves no picture to choose by:"
      " every class has but one."
    )
  if config.protocol == "classify":
    sweep.describe(config, sources.size(parts.train))
  if config.protocol == "knn" and parts.metric == "map11":
    raise ValueError(
      "neighbours vote for one class: k-NN takes no set whose pictures have"
      " several labels (map11)."
    )


def _evaluate(config, encoder, parts, place: Sequence[str]) -> dict[str, Any]:
  """One protocol on one data set, or its result of an earlier time."""
  workdir, name, set_name = place
  config = _with_metric(config, parts.metric)
  sizes = _sizes(parts)
  digest = labelled.digest(parts)
  inputs.check_hosts(digest)
  data = [set_name, *sizes.values(), digest]
  key = results.key(config, encoder, data)
  result = results.earlier(workdir, key)
  if not parallel.everywhere(result is not None)[0]:
    start = time.monotonic()
    tested = subject.prepare(config, encoder, parts)
    found = _protocol(config, tested, workdir, key)
    result = {
      "title": name,
      "set": set_name,
      "metric": results.metric(config),
      "split": "test",
      **found,
      **results.about(config, encoder, tested.encoder.variables),
      "sizes": sizes,
      "wall_secs": round(time.monotonic() - start, 1),
      "key": key,
    }
    results.write(result, workdir)
  elif parallel.host() == 0:
    results.restore(result, workdir)
    print("Already there, from an earlier time:")
  if parallel.host() == 0:
    print(results.line(result))
    print(f"Results: {os.path.join(workdir, 'results.json')}")
  return result


def _sizes(parts: labelled.Parts) -> dict[str, int]:
  """Pictures of each part that there is."""
  named = {"train": parts.train, "valid": parts.valid, "test": parts.test}
  return {k: sources.size(part) for k, part in named.items() if part}


def _protocol(config, tested, workdir: str, folder: str) -> dict[str, Any]:
  if config.protocol == "knn":
    return frozen.run_knn(config, tested)
  if config.protocol == "logistic":
    return frozen.run_logistic(config, tested, workdir, folder)
  return sweep.run(config, tested, workdir, folder)


def _with_metric(config, metric: str) -> ml_collections.ConfigDict:
  """The config with the metric that the data set has."""
  config = config.copy_and_resolve_references()
  config.data.metric = metric
  return config.lock()


def _tabulate(found, failed, workdir: str) -> None:
  """Prints and writes ours, beside the paper's rows where it has any."""
  config = found[0]["config"]
  paper, caption = table3.rows_of(config)
  ours = {r["set"]: results.headline(r) for r in found}
  text = f"{caption}\n\n"
  text += table3.table(paper, ours, found[0]["encoder"]["name"])
  for name, reason in failed.items():
    text += f"\n\nMissing: {name} ({reason})"
  intact.write_whole(text + "\n", os.path.join(workdir, "table.md"))
  print(text)
