"""A benchmark that is called wrongly ends in one sentence, before any work."""

import argparse
import importlib
import importlib.util
import sys

import numpy as np
import pytest

from benchmarks import timing
from byol_jax import compiler

# Each benchmark, and an argument that only it has, with a wrong value.
WRONG = {
  "augment": "--image_px=7",
  "cliffs": "--max_px=0",
  "cpu_step": "--stems=large",
  "gpu_step": "--encoder=resnet51",
  "growth": "--topologies=v3:2x2,v9:2x2",
  "input_pipeline": "--quality=96",
  "knn": "--bank_size=199",  # Fewer than neighbours.
  "linear_sweep": "--batch_size=3",  # On two devices.
  "logistic": "--tolerance=nan",
  "long_run": "--views=cloud",
  "micro_batches": "--parts=3",  # Of 128 pictures.
}
WITHOUT_REPEATS = {"long_run": "--num_steps"}


def refused(monkeypatch, capsys, name, *arguments):
  """What a benchmark says that ends before it prints anything."""
  main = importlib.import_module(f"benchmarks.{name}").main
  monkeypatch.setattr(sys, "argv", [name, *arguments])
  with pytest.raises(SystemExit) as ended:
    main()
  said = capsys.readouterr()
  assert ended.value.code == 2
  assert said.out == ""
  assert said.err.count("\n") == 1
  assert said.err.startswith("byol_jax: ")
  return said.err


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("value", ["0", "-1", "two"])
def test_a_number_of_nothing_is_refused(monkeypatch, capsys, name, value):
  flag = WITHOUT_REPEATS.get(name, "--repeats")
  said = refused(monkeypatch, capsys, name, f"{flag}={value}")
  assert said == (
    f"byol_jax: Argument {flag}: {value!r} is no whole number from 1 up.\n"
  )


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_named(monkeypatch, capsys, name):
  flag, _, value = WRONG[name].partition("=")
  said = refused(monkeypatch, capsys, name, WRONG[name])
  assert value.rpartition(",")[2] in said
  assert flag.strip("-") in said or name == "micro_batches"


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize(
  ("path", "reason"),
  [("", "is a folder"), ("missing/out.json", "No such file")],
)
def test_a_file_that_cannot_be_written_is_refused_at_once(
  monkeypatch, capsys, tmp_path, name, path, reason
):
  out = f"{tmp_path}/{path}"
  said = refused(monkeypatch, capsys, name, f"--out={out}")
  assert out in said
  assert reason in said
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
  ("name", "argument"),
  [("gpu_step", "--profile"), ("long_run", "--workdir")],
)
def test_a_folder_that_cannot_be_made_is_refused(
  monkeypatch, capsys, tmp_path, name, argument
):
  (tmp_path / "file").write_text("mine")
  said = refused(monkeypatch, capsys, name, f"{argument}={tmp_path}/file")
  assert f"{argument}: '{tmp_path}/file' cannot be written" in said
  assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
  ("name", "arguments"), [("cpu_step", ()), ("gpu_step", ("--only=torch",))]
)
def test_one_sentence_says_that_there_is_no_pytorch(
  monkeypatch, capsys, name, arguments
):
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
  monkeypatch.setattr(compiler, "prepare", lambda: None)
  monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # As it sets.
  assert "PyTorch" in refused(monkeypatch, capsys, name, *arguments)


@pytest.mark.parametrize(
  "write",
  [
    lambda path: None,
    lambda path: path.write_bytes(b"PK"),
    lambda path: path.write_bytes(b""),
    lambda path: np.savez(path, labels=np.arange(10)),
    lambda path: np.savez(
      path, representation=np.zeros((10, 4)), labels=np.arange(9)
    ),
    lambda path: np.savez(
      path, representation=np.zeros((9, 4)), labels=np.arange(9)
    ),
  ],
  ids=["missing", "cut", "empty", "part", "shapes", "classes"],
)
def test_features_that_do_not_fit_are_refused(
  monkeypatch, capsys, tmp_path, write
):
  path = tmp_path / "features.npz"
  write(path)
  said = refused(monkeypatch, capsys, "logistic", f"--features={path}")
  assert "labels" in said


def test_a_disk_that_is_full_at_the_end_leaves_the_old_report(
  monkeypatch, capsys, tmp_path
):
  out = tmp_path / "out.json"
  out.write_text("old")
  out.with_name("out.json.tmp").mkdir()  # Where the new one is begun.
  with pytest.raises(SystemExit) as ended:
    timing.report([{"work": "x"}], argparse.Namespace(out=str(out)))
  assert ended.value.code == 1
  assert f"{out} cannot be written" in capsys.readouterr().err
  assert out.read_text() == "old"
