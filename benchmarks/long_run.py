"""Whether memory, files and threads stay what they are over a long training.

python -m benchmarks.long_run --views=memory --workdir=runs/long --out=long.json

Trains a tiny network on the embedded pictures for many short steps in one
process, with all that a run does: records, evaluations, checkpoints. Samples
what the process holds every second, writes a JSON line for each sample to
WORKDIR/samples.jsonl, and prints a Markdown table. Without the first quarter of
the steps, the medians of the first and of the last third of the samples are
compared: what is held is flat where it rises from one to the other by less than
2 %, or by less than one file, thread, array or checkpoint. Event files and
metrics.jsonl grow by their lines, so what a step adds is shown.
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

from benchmarks import command, timing
from byol_jax import config as config_lib
from byol_jax import exits, inputs, intact, parallel, pretrain, records
from byol_jax.data import sources
from configs import cpu

_MIB = 2**20
_BATCH_SIZE = 64
_SECS = 1.0
_TAIL_BYTES = 2**16  # More than a line.
# Compilation, the first evaluation and checkpoint come before.
_WARM_UP_SHARE = 0.25
_TOLERANCE = 0.02
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
  arguments = _arguments()
  records.log_plainly()
  with command.refusing():
    samples = _sampled(arguments)
  if not samples:
    exits.end(
      exits.FAILED,
      f"The training in {arguments.workdir} was over before it was looked at:"
      " it needs more steps, or had them before.",
    )
  timing.report([_row(samples, name) for name in samples[0]][2:], arguments)


def _arguments() -> argparse.Namespace:
  parser = command.parser(__doc__)
  add = parser.add_argument
  add("--num_steps", type=command.count(), default=20_000)
  add("--views", choices=("memory", "device", "host"), default="memory")
  add("--workdir", type=command.new_folder, default="runs/long")
  return parser.parse_args()


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
    step = _last_step(workdir / "metrics.jsonl")
    if not step or (samples and samples[-1]["step"] == step):
      continue
    secs = round(time.monotonic() - start, 1)
    found = {"step": step, "secs": secs, **_held(workdir)}
    samples.append(found)
    intact.append(json.dumps(found) + "\n", workdir / "samples.jsonl")


def _last_step(path: pathlib.Path) -> int:
  """The last recorded step, or 0; reads only the file's end."""
  if not path.exists():
    return 0
  with path.open("rb") as file:
    file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
    lines = file.read().split(b"\n")[:-1]
  return json.loads(lines[-1])["step"] if lines else 0


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
  """Bytes of a file or below a folder; any may go while it is looked at."""
  total = 0
  # Of a folder that has gone, this lists nothing.
  inside = [os.path.join(x, y) for x, _, names in os.walk(path) for y in names]
  for each in inside or [path]:
    try:
      total += os.stat(each).st_size
    except FileNotFoundError:
      continue
  return total


def _row(samples: Sequence[dict[str, float]], name: str) -> dict[str, object]:
  """A quantity near the beginning and the end, and whether it is flat."""
  begin = _WARM_UP_SHARE * samples[-1]["step"]
  warm = [x for x in samples if x["step"] >= begin]
  third = -(-len(warm) // 3)
  early, late = (_medians(x, name) for x in (warm[:third], warm[-third:]))
  steps, rise = late - early
  return {
    "held": name,
    "first third": float(early[1]),
    "last third": float(late[1]),
    "most": float(max(x[name] for x in warm)),
    "rise in 1000 steps": float(1000 * rise / max(steps, 1)),
    "verdict": _verdict(name, rise, early[1]),
  }


def _medians(samples: Sequence[dict[str, float]], name: str) -> np.ndarray:
  """Of the step and of a quantity."""
  return np.median([(x["step"], x[name]) for x in samples], axis=0)


def _verdict(name: str, rise: float, early: float) -> str:
  if name in _GROWING:
    return "grows by its lines"
  slack = 1.0 if name in _COUNTED else 0.0
  if name == "checkpoints_mib":
    slack = early / 2  # One more than is kept, while it is written.
  limit = max(_TOLERANCE * early, slack)
  return "flat" if rise <= limit else "rises"


if __name__ == "__main__":
  main()
