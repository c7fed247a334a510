"""Whatever defines a work is in its row or in the settings of all rows."""

import importlib
import sys

import jax
import pytest
import test_benchmark_commands

from benchmarks import compare, our_step, timing

# Neither what is done nor a list, whose values the rows have.
ASIDE = {
  "out",
  "repeats",
  "profile",
  "workdir",
  "only",
  "without_torch",
  "loop",
  "max_px",
}
LISTS = {
  "cpu_step": {"batch_sizes", "stems"},
  "growth": {"axes", "topologies"},
  "knn": {"dims"},
  "micro_batches": {"parts"},
}


@pytest.mark.parametrize("name", test_benchmark_commands.WRONG)
def test_every_argument_that_defines_the_work_is_a_setting(monkeypatch, name):
  monkeypatch.setattr(sys, "argv", [name, "--out="])
  given = importlib.import_module(f"benchmarks.{name}")._arguments()
  found = timing.settings(given)
  chosen = set(vars(given)) - ASIDE - LISTS.get(name, set())
  assert set(found) == chosen | {"num_devices", "allowed_cores"}
  assert {key: found[key] for key in chosen}.items() <= vars(given).items()
  assert found["num_devices"] == jax.device_count() == 2


class _Compiled:
  """What is asked of a program that nobody compiles."""

  def cost_analysis(self):
    return {"flops": 1.0}

  def memory_analysis(self):
    return self

  def __getattr__(self, name):
    return 1


def _rows(monkeypatch, name, *arguments):
  """The rows of a benchmark whose works are neither built nor run."""
  module = importlib.import_module(f"benchmarks.{name}")
  found = []
  step = our_step.Ours(lambda count: None, _Compiled(), _Compiled(), 1.0, 1)
  monkeypatch.setattr(our_step, "build", lambda choice, devices: step)
  monkeypatch.setattr(timing, "turns", _no_turns)
  monkeypatch.setattr(timing, "show", lambda rows: None)
  monkeypatch.setattr(timing, "report", lambda rows, _: found.extend(rows))
  monkeypatch.setattr(sys, "argv", [name, *arguments])
  if name == "cpu_step":
    theirs = module._Theirs(lambda: None, 1, 1.0)
    monkeypatch.setattr(module, "_theirs", lambda *_: theirs)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _: True)
    monkeypatch.setattr(module.os, "sched_setaffinity", lambda *_: None)
  if hasattr(module, "compiler"):
    monkeypatch.setattr(module.compiler, "prepare", lambda: None)
  module.main()
  return found


def _no_turns(works, repeats):
  times = timing.Times([1.0] * repeats, [1.0] * repeats)
  return dict.fromkeys(works, times)


@pytest.mark.parametrize(
  ("name", "arguments", "count"),
  [
    ("cpu_step", "--batch_sizes 2 4", 4),
    ("growth", "--axes batch pixels width blocks here", 13),
    ("knn", "--dims 4 8 --num_queries=16 --bank_size=200", 6),
    ("micro_batches", "--parts 2 4", 5),
  ],
)
def test_no_two_rows_have_one_name(monkeypatch, name, arguments, count):
  rows = _rows(monkeypatch, name, *arguments.split())
  assert len({compare.named(row) for row in rows}) == len(rows) == count


@pytest.mark.parametrize("name", ["cpu_step", "growth"])
def test_rows_have_what_the_code_itself_chooses(monkeypatch, name):
  short = {"growth": ["--axes=here"]}.get(name, [])
  row = _rows(monkeypatch, name, *short)[0]
  assert row.keys() >= {"encoder", "stem", "px", "batch", "dtype", "hidden"}
