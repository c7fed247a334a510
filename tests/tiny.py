"""The CPU config made so small that a run takes seconds."""

import fcntl
import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np

from byol_jax import checkpoint
from byol_jax.data import photo_patches
from configs import cpu

ROOT = pathlib.Path(__file__).parent.parent

NUM_IMAGES = len(photo_patches.load("train").images)
BATCH_SIZE = 84


def epochs(num_steps):
  """So many epochs are so many steps; the quarter survives any rounding."""
  return (num_steps + 0.25) * BATCH_SIZE / NUM_IMAGES


SETTINGS = {
  "log_every": 1,
  "data.image_px": 8,
  "network.encoder": "one_conv",
  "network.stem": "cifar",
  "network.projector_hidden": (16,),
  "network.predictor_hidden": (16,),
  "network.projection_dim": 8,
  "training.batch_size": BATCH_SIZE,
  "training.num_epochs": epochs(4),
  "training.warmup_epochs": 0.0,
  "target.starts_as_copy": True,  # Drawn apart, they compile twice as long.
  "optimizer.name": "lars",
  "optimizer.base_learning_rate": 1.0,
  "evaluation.every_epochs": epochs(2),
  "evaluation.batch_size": 256,
  "evaluation.knn_images": 64,
  "evaluation.knn_neighbours": 5,
  "evaluation.probe_images": 0,
  "evaluation.baselines": False,
  "checkpoint.every_epochs": epochs(1),
  "checkpoint.keep": 2,
}

# The command line, which dies the n-th time that it calls a function.
_MORTAL = """
import importlib, os, signal, sys
from absl import app
from byol_jax import compiler, main

compiler.prepare()  # As the command does.
place, name, left = sys.argv.pop(1).split(":")
left = int(left)
module, _, owner = place.partition("/")
module = importlib.import_module(module)
owner = getattr(module, owner) if owner else module
function = getattr(owner, name)

def mortal(*args, **kwargs):
  global left
  left -= 1
  if not left:
    os.kill(os.getpid(), signal.SIGKILL)
  return function(*args, **kwargs)

setattr(owner, name, mortal)
app.run(main.main, flags_parser=main.parse_flags)
"""


def _dotted(changes):
  return {key.replace("__", "."): value for key, value in changes.items()}


def config(**changes):
  """The tiny config with other values; two underscores are a dot."""
  made = cpu.get_config()
  with made.unlocked():
    made.update_from_flattened_dict({**SETTINGS, **_dotted(changes)})
  return made


def start(workdir, *flags, num_devices=1, quickly=False, dies_in="", **changes):
  """Starts the command line on the tiny config.

  Of several runs only the first waits for its compilation, where there is a
  folder for what was compiled, as conftest makes one.

  Args:
    workdir: of the run.
    *flags: further flags.
    num_devices: CPU devices.
    quickly: compiled as in conftest; else by the program's own flags, which
      its promises of bit-exactness are for.
    dies_in: "module:function:n" or "module/class:method:n", by SIGKILL.
    **changes: of settings; two underscores are a dot.
  """
  settings = {**SETTINGS, **_dotted(changes)}
  program = ["-c", _MORTAL, dies_in] if dies_in else ["-m", "byol_jax.main"]
  quick = " --xla_backend_optimization_level=0" if quickly else ""
  environment = {
    **os.environ,
    "JAX_PLATFORMS": "cpu",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "XLA_FLAGS": f"--xla_force_host_platform_device_count={num_devices}{quick}",
  }
  return subprocess.Popen(
    [
      *(sys.executable, *program, "--config=configs/cpu.py"),
      *(f"--config.{key}={value}" for key, value in settings.items()),
      # To compile the views once more would take longer than all else.
      *(f"--workdir={workdir}", "--noshow_views", *flags),
    ],
    cwd=ROOT,
    env=environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def finish(process, timeout=300):
  """Waits; code, standard output and standard error."""
  try:
    out, err = process.communicate(timeout=timeout)
  finally:
    process.kill()
  return process.returncode, out, err


def run(workdir, *flags, **changes):
  return finish(start(workdir, *flags, **changes))


def made_once(tmp_path_factory, name, make):
  """A folder of a module's fixtures, and what the first worker found there.

  The workers of one session share their fixtures' runs: one makes them, and
  whoever comes meanwhile waits.

  Args:
    tmp_path_factory: pytest's.
    name: of the folder, which no other module has.
    make: folder to what JSON can say.
  """
  root = tmp_path_factory.getbasetemp()
  if "PYTEST_XDIST_WORKER" in os.environ:
    root = root.parent
  folder = root / name
  folder.mkdir(exist_ok=True)
  found = folder / "found.json"
  with (folder / "lock").open("w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not found.exists():
      found.write_text(json.dumps(make(folder)))
  return folder, json.loads(found.read_text())


def state(workdir):
  """The newest checkpoint's arrays by path."""
  tree, _ = checkpoint.load_params(str(workdir))
  return {
    jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
    for path, leaf in jax.tree.leaves_with_path(tree)
  }


def metrics(workdir):
  lines = (workdir / "metrics.jsonl").read_text().splitlines()
  return [json.loads(line) for line in lines]
