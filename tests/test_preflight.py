"""The report on a slice that is not there; CPU devices stand for it."""

import pathlib
import subprocess
import sys
import types

import jax
import pytest
import tiny
from absl import flags

from byol_jax import (
  chips,
  estimates,
  lowering,
  preflight,
)

ROOT = pathlib.Path(__file__).parent.parent
TINY = [
  f"--config.{key}={value}"
  for key, value in tiny.SETTINGS.items()
  if key != "training.num_epochs"
]

COSTS = {
  "arguments": 4 * 10**9,
  "results": 10**9,
  "temporaries": 2 * 10**9,
  "code": 5 * 10**8,
  "flops": 513e9,
  "num_bytes": 16e9,
  "roofline_secs": 0.04,
  "cycles": 47_000_000,
  "collectives": {},
}


@pytest.fixture(autouse=True)
def _in_root(monkeypatch):
  monkeypatch.chdir(ROOT)


def _here(name):
  """The CPU's devices, as if they were a slice."""
  return chips.Slice(name, chips.find_chip(name), tuple(jax.devices()))


def _main(monkeypatch, *arguments, costs=None, compiler=object):
  """Runs the program on a slice of CPU devices, without a compiler."""
  monkeypatch.setattr(chips, "open_slice", _here)
  monkeypatch.setattr(preflight.metadata, "version", lambda name: "0")
  made = COSTS | (costs or {})
  monkeypatch.setattr(estimates, "costs", lambda *arguments: made)
  lowered = types.SimpleNamespace(compile=compiler)
  monkeypatch.setattr(lowering, "lower", lambda *arguments: lowered)
  values = flags.FlagValues()
  argv = ["preflight", "--topology=v3:2x2", *arguments]
  preflight.parse_flags(argv, values)
  monkeypatch.setattr(flags, "FLAGS", values)
  preflight.main(argv)


CPU = ["--config=configs/cpu.py", *TINY]


def test_a_config_that_fits_is_said_to_fit(monkeypatch, capsys):
  _main(monkeypatch, *CPU)
  out, err = capsys.readouterr()
  assert (out.splitlines()[-1], err) == ("fits v3:2x2", "")
  assert "images a device           42\n" in out


def test_a_config_that_does_not_fit_ends_with_advice(monkeypatch, capsys):
  with pytest.raises(SystemExit) as error:
    _main(monkeypatch, *CPU, costs={"temporaries": 17 * 10**9})
  out, err = capsys.readouterr()
  assert error.value.code == 1
  assert err == (
    "byol_jax: --config=configs/cpu.py: does not fit v3:2x2, whose devices have"
    " 15.48 GiB (the run takes 20.95 GiB); try training.micro_batches=2, a"
    " smaller training.batch_size or a larger slice.\n"
  )
  assert "temporaries             17.000 GB" in out


def test_what_the_compiler_refuses_is_one_line(monkeypatch, capsys):
  def refuse():
    raise jax.errors.JaxRuntimeError(
      "RESOURCE_EXHAUSTED: Ran out of memory on HBM, 40G of 15G.\nAllocations"
    )

  with pytest.raises(SystemExit) as error:
    _main(monkeypatch, *CPU, compiler=refuse)
  assert error.value.code == 1
  (line,) = capsys.readouterr().err.splitlines()
  assert "GiB (RESOURCE_EXHAUSTED: Ran out of memory on HBM" in line
  assert "Allocations" not in line


@pytest.mark.parametrize(
  ("arguments", "sentence"),
  [
    (
      ["--config=configs/eval/knn.py"],
      "The preflight is for configs that pretrain, and"
      " --config=configs/eval/knn.py evaluates.",
    ),
    ([*CPU, "--compare=no.py"], "--compare=no.py is not a file."),
    (
      [*CPU, "--compare=configs/eval/knn.py"],
      "The preflight is for configs that pretrain, and --compare",
    ),
    (
      [*CPU, "--config.training.batch_size=101"],
      "training.batch_size=101 cannot be divided by 2 devices",
    ),
    (
      [*CPU, "--num_images=5"],
      "data.labelled=True needs --num_classes beside --num_images.",
    ),
  ],
)
def test_wrong_commands_are_one_line_and_code_2(
  monkeypatch, capsys, arguments, sentence
):
  with pytest.raises(SystemExit) as error:
    _main(monkeypatch, *arguments)
  (line,) = capsys.readouterr().err.splitlines()
  assert error.value.code == 2
  assert line.startswith(f"byol_jax: {sentence}")


def test_data_that_is_not_there_may_be_described(monkeypatch, capsys):
  missing = [
    *("--config=configs/folder.py", "--config.data.train_path=tests"),
    *TINY,
  ]
  with pytest.raises(SystemExit):
    _main(monkeypatch, *missing)
  err = capsys.readouterr().err
  assert err.endswith("Or give --num_images and --num_classes.\n")
  _main(monkeypatch, *missing, "--num_images=840", "--num_classes=3")
  assert "images a device           42\n" in capsys.readouterr().out


def test_the_topology_has_to_be_named(capsys):
  with pytest.raises(SystemExit) as error:
    preflight.parse_flags(["preflight", *CPU], flags.FlagValues())
  assert error.value.code == 2
  assert "--topology" in capsys.readouterr().err


@pytest.mark.slow
def test_libtpu_compiles_the_step():
  pytest.importorskip("libtpu")
  parts = "--config.training.micro_batches=2"
  done = subprocess.run(
    [
      *(sys.executable, "-m", "byol_jax.preflight", "--topology=v3:2x2"),
      *(*CPU, "--config.training.batch_size=64", parts),
    ],
    capture_output=True,
    text=True,
    check=False,
  )
  assert (done.returncode, done.stderr) == (0, "")
  assert done.stdout.splitlines()[-1] == "fits v3:2x2"
  rows = {
    line[:24].strip(): line[24:].split() for line in done.stdout.splitlines()
  }
  assert rows["images a device"] == ["8"]
  for name in ("cycles", "operations", "arguments", "step by the roofline"):
    assert float(rows[name][0]) > 0.0
