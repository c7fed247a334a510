"""Experiments and processes for tests of the runner: nothing is trained."""

import json
import pathlib

from experiments import processes, results, runner
from experiments.declare import Column, Experiment, Row

BYOL = Row("BYOL", {})
NO_TARGET = Row("predictor only", {"target.kind": "stop_gradient"})
QUOTED = Row("neither", None)
TOP1 = Column("top1", "top-1")


def experiment(*rows, name="one", columns=(TOP1,), **fields):
  return Experiment(
    name, "table5b", "A title", "ablation", columns, rows, **fields
  )


def flag(arguments, name):
  """The value of a flag in a command."""
  found = [x for x in arguments if x.startswith(f"--{name}=")]
  return found[-1].partition("=")[2] if found else ""


def call(folder, *experiments, codes=(), more=(), seeds="0"):
  """Runs experiments; returns the exit code and the processes."""
  fake = Processes(codes)
  argv = ["--scale=desk", f"--results={folder / 'results'}"]
  argv += [
    f"--runs={folder / 'runs'}",
    *([f"--seeds={seeds}"] if seeds else []),
  ]
  return runner.run(experiments, [*argv, *more], fake), fake


def lines(folder, name="one"):
  """What is in the results of `call`."""
  return results.load(folder / "results" / "desk" / f"{name}.jsonl")


class Processes:
  """Stands in for `processes.Children`: writes what byol_jax.main would.

  `codes` has an outcome for each text that a command holds.
  """

  def __init__(self, codes=()):
    self.commands, self._codes, self.stopped = [], dict(codes), False

  def __call__(self, arguments, log, inherited):
    self.commands.append(list(arguments))
    workdir = pathlib.Path(flag(arguments, "workdir"))
    workdir.mkdir(parents=True, exist_ok=True)
    is_evaluation = "/eval/" in flag(arguments, "config")
    if not is_evaluation:
      lines = [{"step": s, "loss": 1 / s} for s in range(1, 51)]
      text = "".join(json.dumps(line) + "\n" for line in lines)
      (workdir / "metrics.jsonl").write_text(text)
    for text, outcome in self._codes.items():
      if any(text in argument for argument in arguments):
        return outcome
    if is_evaluation:
      score = 0.40 + 0.01 * len(self.commands)
      known = {
        "scores": {"top1": score, "top5": 2 * score},
        "metric": "top1",
        "device": "1 x cpu",
        "versions": {"jax": "0"},
        "wall_secs": 1.0,
      }
      (workdir / "results.json").write_text(json.dumps(known))
    return processes.Outcome(0, "")

  def check(self):
    if self.stopped:
      raise processes.StoppedError

  def stop(self):
    self.stopped = True

  def trained(self):
    """Commands that pretrain."""
    return [x for x in self.commands if "/eval/" not in flag(x, "config")]
