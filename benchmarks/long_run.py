"""Whether memory, files and threads stay what they are over a long training.

python -m benchmarks.long_run --views=memory --workdir=runs/long --out=long.json

Trains a tiny network on the embedded pictures for many short steps in one
process, with all that a run does: records, evaluations, checkpoints. Samples
what the process holds every second, writes a JSON line for each sample to
WORKDIR/samples.jsonl, and prints a Markdown table. What is held is flat where
a straight line through the samples after the first quarter rises by less over
the whole run than 5 %; of files, threads and arrays, than one of them too.
Event files and metrics.jsonl grow by their lines, so what a step adds is shown.
"""

import argparse
import json
import os
import pathlib
import threading
import time
from collections.abc import Sequence

import jax
import numpy as np

from benchmarks import timing
from byol_jax import config as config_lib
from byol_jax import inputs, intact, parallel, pretrain, records
from byol_jax.data import sources
from configs import cpu

_MIB = 2**20
_BATCH_SIZE = 64
_SECS = 1.0
# Compilation, the first evaluation and checkpoint come before.
_WARM_UP_SHARE = 0.25
_TOLERANCE = 0.05
_SETTINGS = {
  "data.image_px": 8,
  "network.encoder": "one_conv",
  "network.projector_hidden": (16,),
  "network.predictor_hidden": (16,),
  "network.projection_dim": 8,
  "training.batch_size": _BATCH_SIZE,
  "evaluation.knn_images": 256,
  "evaluation.probe_images": 0,
  "evaluation.baselines": False,
  "checkpoint.keep": 2,
}
# Whole numbers, of which less than one more is none.
_COUNTED = ("open_files", "threads", "device_arrays")
_GROWING = ("events_kib", "metrics_kib")


def main() -> None:
  """Trains, samples and prints a table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--num_steps", type=int, default=20_000)
  parser.add_argument("--views", default="memory")
  parser.add_argument("--workdir", default="runs/long")
  parser.add_argument("--out", default="", help="JSON file to write.")
  arguments = parser.parse_args()
  records.log_plainly()
  samples = _sampled(arguments)
  timing.report([_row(samples, name) for name in samples[0]][2:], arguments.out)


def _sampled(arguments: argparse.Namespace) -> list[dict[str, float]]:
  """Trains, and samples beside it."""
  config = cpu.get_config()
  config.update_from_flattened_dict(_SETTINGS)
  config.data.views = arguments.views
  data = inputs.open_inputs(config)
  epoch = sources.size(data.train) / _BATCH_SIZE
  config.training.num_epochs = arguments.num_steps / epoch
  config.evaluation.every_epochs = 500 / epoch
  config.checkpoint.every_epochs = 200 / epoch
  config_lib.validate(config, parallel.num_devices())
  over, samples = threading.Event(), []
  workdir = pathlib.Path(arguments.workdir)
  sampler = threading.Thread(target=_sample, args=(workdir, over, samples))
  sampler.start()
  try:
    pretrain.run(config, data, arguments.workdir)
  finally:
    over.set()
    sampler.join()
  return samples


def _sample(
  workdir: pathlib.Path, over: threading.Event, samples: list
) -> None:
  """Adds a sample now and then, once there are steps."""
  start = time.monotonic()
  while not over.wait(_SECS):
    lines = intact.objects(workdir / "metrics.jsonl")
    if not lines or (samples and samples[-1]["step"] == lines[-1]["step"]):
      continue
    secs = round(time.monotonic() - start, 1)
    found = {"step": lines[-1]["step"], "secs": secs, **_held(workdir)}
    samples.append(found)
    intact.append(json.dumps(found) + "\n", workdir / "samples.jsonl")


def _held(workdir: pathlib.Path) -> dict[str, float]:
  """What the process holds, and what it left on the disk."""
  arrays = jax.live_arrays()
  stats = jax.local_devices()[0].memory_stats() or {}
  in_use = stats.get("bytes_in_use", sum(x.nbytes for x in arrays))
  return {
    "memory_mib": _memory() / _MIB,
    "device_mib": in_use / _MIB,
    "device_arrays": len(arrays),
    "open_files": len(os.listdir("/proc/self/fd")),
    "threads": len(os.listdir("/proc/self/task")),
    "checkpoints_mib": _size(workdir / "checkpoints") / _MIB,
    "events_kib": _size(workdir / "tensorboard") / 1024,
    "metrics_kib": _size(workdir / "metrics.jsonl") / 1024,
  }


def _memory() -> int:
  """Bytes that are this process's own: no libraries, which may be dropped."""
  text = pathlib.Path("/proc/self/status").read_text()
  fields = dict(line.split(":", 1) for line in text.splitlines())
  return 1024 * sum(int(fields[x].split()[0]) for x in ("RssAnon", "VmSwap"))


def _size(path: pathlib.Path) -> int:
  """Bytes of a file or below a folder; a file may go while it is looked at."""
  total = 0
  for each in [path, *path.rglob("*")]:
    try:
      total += each.stat().st_size if each.is_file() else 0
    except FileNotFoundError:
      continue
  return total


def _row(samples: Sequence[dict[str, float]], name: str) -> dict[str, object]:
  """First, middle and last of a quantity, its rise, and whether it is flat."""
  last = samples[-1]["step"]
  warm = [x for x in samples if x["step"] >= _WARM_UP_SHARE * last]
  steps = np.array([x["step"] for x in warm])
  values = np.array([x[name] for x in warm])
  slope = float(np.polyfit(steps, values, 1)[0]) if len(warm) > 1 else 0.0
  return {
    "held": name,
    "first": float(samples[0][name]),
    "after a quarter": float(values[0]),
    "median": float(np.median(values)),
    "most": float(values.max()),
    "last": float(values[-1]),
    "rise in 1000 steps": 1000 * slope,
    "verdict": _verdict(name, slope * last, float(np.median(values))),
  }


def _verdict(name: str, rise: float, median: float) -> str:
  if name in _GROWING:
    return "grows by its lines"
  limit = max(_TOLERANCE * median, 1.0 if name in _COUNTED else 0.0)
  return "flat" if rise < limit else "rises"


if __name__ == "__main__":
  main()
