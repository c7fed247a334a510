"""Every combination of settings, killed and continued; minutes to hours.

python -m tests.resume_matrix --results=resume_matrix.jsonl

Beside the suite, which holds a few of them. Each combination runs once without
a disturbance while its workdir is copied at one moment (see `resuming`); the
copy is continued and compared to the bit. Combinations that have a line in
the results are not run again; at the end a Markdown table counts them.
"""

import argparse
import collections
import contextlib
import io
import itertools
import json
import os
import pathlib
import tempfile

# Read once by JAX.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
os.environ["JAX_COMPILATION_CACHE_DIR"] = ""

import numpy as np
import pytest

from byol_jax import compiler, inputs, pretrain
from tests import resuming, tiny

_QUEUE = {
  "objective__negatives": "queue",
  "objective__queue_size": 2 * tiny.BATCH_SIZE,
  "objective__negative_weight": 0.5,
}
CHOICES = {
  "views": {
    where: {"data__views": where} for where in ("memory", "device", "host")
  },
  "labels": {
    "yes": {},
    "no": {"data__labelled": False, "evaluation__probe_images": 0},
  },
  "precision": {
    "float32": {},
    "bfloat16": {"training__compute_dtype": "bfloat16"},
  },
  "micro-batches": {"1": {}, "2": {"training__micro_batches": 2}},
  "negatives": {"none": {}, "queue": _QUEUE},
  "optimizer": {
    "lars": {},
    "sgd": {"optimizer__name": "sgd", "optimizer__base_learning_rate": 0.1},
    "adamw": {
      "optimizer__name": "adamw",
      "optimizer__base_learning_rate": 0.01,
    },
  },
}


def combinations():
  """Value by setting, shuffled: the first of them are a fair sample."""
  found = list(itertools.product(*CHOICES.values()))
  order = np.random.default_rng(0).permutation(len(found))
  return [dict(zip(CHOICES, found[place], strict=True)) for place in order]


def difference(chosen, moment, folder):
  """Kills and continues one combination; what differs, or nothing."""
  changes = {}
  for setting, value in chosen.items():
    changes |= CHOICES[setting][value]
  config = tiny.config(**changes)

  def run(workdir):
    with (
      contextlib.redirect_stdout(io.StringIO()),
      contextlib.redirect_stderr(io.StringIO()),
    ):
      pretrain.run(config, inputs.open_inputs(config), str(workdir))

  with pytest.MonkeyPatch.context() as shared:
    resuming.compile_once(shared)
    moments = {"killed": resuming.PRETRAINING[moment]}
    with pytest.MonkeyPatch.context() as patch:
      resuming.watch(patch, moments, folder / "unbroken", folder)
      run(folder / "unbroken")
    run(folder / "killed")
  try:
    resuming.assert_same_run(folder / "killed", folder / "unbroken")
  except AssertionError as error:
    return str(error)
  return ""


def table(lines):
  """For each value of each setting: combinations that ended the same."""
  counts = collections.defaultdict(lambda: [0, 0])
  for line in lines:
    for pair in (*line["chosen"].items(), ("killed", line["moment"])):
      counts[pair][0] += not line["difference"]
      counts[pair][1] += 1
  rows = ["| setting | value | equal to the bit | tried |", "|---|---|---|---|"]
  order = [*CHOICES, "killed"]
  for setting, value in sorted(counts, key=lambda x: (order.index(x[0]), x[1])):
    equal, tried = counts[setting, value]
    rows.append(
      f"| {setting} | {value.replace('_', ' ')} | {equal} | {tried} |"
    )
  return "\n".join(rows)


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--results", type=pathlib.Path, required=True)
  parser.add_argument("--limit", type=int, default=None)
  flags = parser.parse_args()
  compiler.prepare()  # The flags that the commands run under.
  lines = []
  if flags.results.exists():
    lines = [json.loads(x) for x in flags.results.read_text().splitlines()]
  chosen = combinations()[: flags.limit]
  pairs = zip(chosen, itertools.cycle(resuming.PRETRAINING), strict=False)
  for one, moment in list(pairs)[len(lines) :]:
    with tempfile.TemporaryDirectory() as folder:
      found = difference(one, moment, pathlib.Path(folder))
    lines.append({"chosen": one, "moment": moment, "difference": found})
    with flags.results.open("a") as file:
      file.write(json.dumps(lines[-1]) + "\n")
  print(table(lines))


if __name__ == "__main__":
  main()
