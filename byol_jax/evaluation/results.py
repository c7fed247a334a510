"""What an evaluation leaves: results.json, a history, and one line."""

import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import ml_collections
from etils import epath

from byol_jax import encoders, intact, origin, parallel
from byol_jax.types import Variables

_FILE, _HISTORY = "results.json", "results.jsonl"
# Settings that change how fast a result comes, not which.
_IRRELEVANT = ("log_every", "checkpoint", "like", "encoder")
_PERCENT = 100.0
# Scores that are no shares: errors of depth.
ERRORS = ("rel", "rms", "scale_invariant")


def key(
  config: ml_collections.ConfigDict,
  encoder: encoders.Encoder,
  data: Sequence,
  without: Collection[str] = (),
) -> str:
  """A short text that differs for whatever makes another result.

  Args:
    config: a validated config of an evaluation.
    encoder: from `subject.find`, whose weights count, not its path.
    data: what tells one data set from another.
    without: further settings that do not matter, as in `plain`.
  """
  # Of several sets, each is named in `data`.
  relevant = plain(config, (*_IRRELEVANT, "data.sets", *without))
  known = [
    relevant,
    encoder._replace(name="", variables=None),
    encoders.fingerprint(encoder.variables) or config.encoder,
    data,
  ]
  text = json.dumps(known, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:10]


def plain(
  config: ml_collections.ConfigDict, without: Collection[str] = ()
) -> dict[str, Any]:
  """The config as JSON has it.

  Args:
    config: any.
    without: sections, and settings as "section.name", that are left out.
  """
  values = json.loads(config.to_json_best_effort())
  for path in without:
    section, _, name = path.rpartition(".")
    (values.get(section, {}) if section else values).pop(name, None)
  return values


def about(
  config: ml_collections.ConfigDict,
  encoder: encoders.Encoder,
  variables: Variables | None,
) -> dict[str, Any]:
  """What every result says of how it was made.

  Args:
    config: a validated config of an evaluation.
    encoder: from `subject.find`.
    variables: its weights, also of one that was drawn.
  """
  return {
    "encoder": {
      "name": encoder.name,
      "image_px": encoder.image_px,
      "weights": encoders.fingerprint(variables),
    },
    "seed": config.seed,
    "device": f"{parallel.num_devices()} x {jax.devices()[0].device_kind}",
    "versions": origin.versions(),
    "config": plain(config),
  }


def earlier(workdir: str, result_key: str) -> dict[str, Any] | None:
  """The newest result with this key in a workdir's history, if any.

  A damaged one, which lacks what a report names, is none.
  """
  found = intact.objects(epath.Path(workdir) / _HISTORY)
  same = (r for r in reversed(found) if r.get("key") == result_key)
  return next(filter(_is_whole, same), None)


def write(result: Mapping[str, Any], workdir: str) -> None:
  """Writes results.json whole, and adds a line to results.jsonl.

  The first is the newest result; the second has all that a workdir ever had.
  """
  if parallel.host():
    return
  folder = epath.Path(workdir)
  folder.mkdir(parents=True, exist_ok=True)
  intact.append(json.dumps(result) + "\n", folder / _HISTORY)
  intact.write_whole(json.dumps(result, indent=2) + "\n", folder / _FILE)


def restore(result: Mapping[str, Any], workdir: str) -> None:
  """Makes an earlier result that of `results.json` again."""
  path = epath.Path(workdir) / _FILE
  intact.write_whole(json.dumps(result, indent=2) + "\n", path)


def line(result: Mapping[str, Any]) -> str:
  """A result in one line: what, on what, how much, by which settings."""
  scores = ", ".join(
    f"{name} {_shown_score(name, value)}"
    for name, value in _shown(result).items()
  )
  chosen = ", ".join(
    f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
    for name, value in result.get("chosen", {}).items()
    if name not in ("valid_score", "converged")
  )
  on = f" on {result['set']}" if result["set"] else ""
  by = f"; chosen: {chosen}" if chosen else ""
  base = _baseline(result)
  pictures = result["sizes"]
  trained = f"{pictures['train']:,} training"
  if "valid" in pictures:
    trained += f" and {pictures['valid']:,} validation"
  return (
    f"{result['title']}{on}: {scores} of {pictures['test']:,} test pictures"
    f"{base}{by}; encoder {result['encoder']['name']}; {trained} pictures;"
    f" {result['wall_secs']:.0f} s"
  )


def metric(config: ml_collections.ConfigDict) -> str:
  """Name of the score that a result is known by: of k-NN that of k = 20."""
  if config.protocol != "knn":
    return config.data.metric
  neighbours = config.knn.neighbours
  return f"top1_k{20 if 20 in neighbours else neighbours[0]}"


def headline(result: Mapping[str, Any]) -> float:
  """The score that a result is known by, a share in [0, 1] or an error."""
  return result["scores"][result["metric"]]


def _baseline(result: Mapping[str, Any]) -> str:
  """What has to be beaten, where the result says it."""
  scores, name = result.get("baseline", {}), result["metric"]
  return f" (baseline {_shown_score(name, scores[name])})" if scores else ""


def _shown_score(name: str, value: float) -> str:
  return f"{value:.3f}" if name in ERRORS else f"{_PERCENT * value:.1f} %"


def _is_whole(result: Mapping[str, Any]) -> bool:
  """Whether a result has all that `line` and `headline` need."""
  try:
    return bool(line(result)) and math.isfinite(headline(result))
  except (LookupError, TypeError, ValueError, AttributeError):
    return False


def _shown(result: Mapping[str, Any]) -> Mapping[str, float]:
  """Of k-NN only the scores of one number of neighbours."""
  scores, ending = result["scores"], result["metric"].partition("_k")[2]
  if not ending.isdigit():
    return scores
  return {k: v for k, v in scores.items() if k.endswith(f"_k{ending}")}
