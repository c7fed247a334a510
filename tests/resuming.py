"""What a kill leaves: a workdir as it lies on the disk at some moment.

While a run goes on to its end, its workdir is copied just before certain calls.
Each copy is what a process killed there would have left behind.
"""

import functools
import json
import shutil
from typing import NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from byol_jax import (
  byol,
  checkpoint,
  compiler,
  intact,
  parallel,
  pretrain,
  records,
)
from byol_jax.evaluation import classifier, features, online, results, summary
from tests import tiny


class Moment(NamedTuple):
  """Just before a function of a module, or a method, is called.

  Attributes:
    owner: module or class.
    name: of the function.
    call: the how-manieth, from 1.
  """

  owner: object
  name: str
  call: int


# Of a run that saves each of its four steps and evaluates every other.
PRETRAINING = {
  "in_the_first_compilation": Moment(byol, "moving_average", 1),
  "before_the_first_checkpoint": Moment(checkpoint, "save", 1),
  "in_an_evaluation": Moment(online, "scores", 1),
  # Orbax has written and not yet committed.
  "in_a_write": Moment(ocp.StandardCheckpointHandler, "finalize", 3),
  "before_a_record": Moment(records.Recorder, "write", 3),
  "in_the_last_evaluation": Moment(online, "scores", 2),
  "before_the_summary": Moment(summary, "finish", 1),
  "in_the_summary": Moment(online, "scores", 3),
  "as_the_summary_is_written": Moment(intact, "write_whole", 1),
}
# Of a sweep that saves each step.
CLASSIFYING = {
  "before_the_first_checkpoint": Moment(checkpoint, "save", 1),
  "between_checkpoints": Moment(checkpoint, "save", 3),
  "in_a_write": Moment(ocp.StandardCheckpointHandler, "finalize", 2),
  "in_an_evaluation": Moment(classifier, "score", 1),
  "before_the_results": Moment(results, "write", 1),
}
# Of protocols on frozen features, which save nothing but their result.
FROZEN = {
  "in_the_features": Moment(features, "extract", 2),
  "as_the_results_are_written": Moment(intact, "write_whole", 1),
}


def watch(patch, moments, workdir, folder):
  """Copies a workdir at each moment.

  Args:
    patch: a pytest.MonkeyPatch, which ends it.
    moments: by name.
    workdir: of the run that goes on.
    folder: gets a copy by each moment's name.
  """
  for name, moment in moments.items():
    before = functools.partial(_copy, workdir, folder / name)
    function = getattr(moment.owner, moment.name)
    wrapped = _on_call(moment.call, before, function)
    patch.setattr(moment.owner, moment.name, wrapped)


def compile_once(patch):
  """Lets the runs of one config share what was traced and compiled."""
  parts = {}
  make_parts = pretrain.make_parts

  def known(config, *args):
    key = config.to_json(), args[3:]  # And the hosts.
    parts[key] = parts.get(key) or make_parts(config, *args)
    return parts[key]

  patch.setattr(pretrain, "make_parts", known)
  patch.setattr(parallel, "pmap", functools.cache(parallel.pmap))
  patch.setattr(compiler, "hurried", functools.cache(compiler.hurried))
  make_encode = functools.cache(features.make_encode)
  patch.setattr(features, "make_encode", make_encode)


def use_devices(patch, count):
  """As if there were but so many of the two."""
  devices = jax.devices()[:count]

  def pmap(function, donate=False):
    donated = (0,) if donate else ()
    return jax.pmap(
      function, parallel.AXIS, donate_argnums=donated, devices=devices
    )

  patch.setattr(parallel, "pmap", pmap)
  patch.setattr(jax, "local_devices", lambda: devices)
  patch.setattr(jax, "local_device_count", lambda: count)
  patch.setattr(jax, "device_count", lambda: count)


def tear(workdir):
  """Cuts in two all that was being written; the number of such files."""
  drafts = workdir.glob("checkpoints/*-tmp/**/*")
  files = [path for path in drafts if path.is_file()]
  for path in files:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
  with (workdir / "metrics.jsonl").open("a") as lines:
    lines.write('{"step": 4, "lo')
  (workdir / "summary.json.tmp").write_text('{"scor')
  return len(files)


def steps(workdir):
  """Checkpoints that are whole."""
  folder = workdir / checkpoint.FOLDER
  names = [path.name for path in folder.iterdir()] if folder.exists() else []
  return sorted(int(name) for name in names if name.isdigit())


def assert_same_state(workdir, expected):
  """To the bit, in the newest checkpoint."""
  ours, theirs = tiny.state(workdir), tiny.state(expected)
  assert ours.keys() == theirs.keys()
  assert max(np.abs(leaf).max() for leaf in ours.values() if leaf.size) > 0
  for key, leaf in ours.items():
    np.testing.assert_array_equal(leaf, theirs[key], err_msg=key, strict=True)


def assert_same_run(workdir, expected):
  """State, metrics and summary of a pretraining."""
  assert_same_state(workdir, expected)
  assert tiny.metrics(workdir) == tiny.metrics(expected)
  scores = [
    json.loads((path / "summary.json").read_text())["scores"]
    for path in (workdir, expected)
  ]
  assert scores[0] == scores[1]


def _on_call(number, before, function):
  """A function that does something else first, at one of its calls."""
  calls = []

  @functools.wraps(function)
  def wrapped(*args, **kwargs):
    calls.append(None)
    if len(calls) == number:
      before()
    return function(*args, **kwargs)

  return wrapped


def _copy(workdir, place):
  """Copies the checkpoints first: the records of a step come before it."""
  place.mkdir()
  for _ in range(20):
    try:
      for name in sorted(workdir.iterdir(), key=_order):
        to = place / name.name
        copy = shutil.copytree if name.is_dir() else shutil.copy2
        copy(name, to)
      return
    except (shutil.Error, FileNotFoundError):
      # Orbax renamed what was being copied.
      shutil.rmtree(place)
      place.mkdir()
  raise AssertionError(f"{workdir} was never still.")


def _order(path):
  return path.name != checkpoint.FOLDER, path.name
