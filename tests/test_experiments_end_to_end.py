"""A tiny experiment as a user runs it: real processes, real results."""

import json
import pathlib

import pytest

from experiments import processes, recipes, runner, scales
from experiments.declare import Column, Experiment, Row
from tests import tiny, tiny_eval

EXPERIMENT = Experiment(
  name="tiny_table",
  paper="",
  title="Tiny",
  base="ablation",
  columns=(Column("top1", "k-NN", evaluation="knn", score="top1_k5"),),
  rows=(
    Row("BYOL", {}),
    Row("diverges", {"optimizer.base_learning_rate": 1e30}),
  ),
  seeds=(0,),
)
SCALE = scales.Scale(
  name="tiny",
  about="photo patches",
  bases={"ablation": recipes.Recipe("configs/cpu.py", tiny.SETTINGS)},
  evaluations={
    "knn": recipes.Recipe(
      "configs/eval/knn.py",
      {
        **tiny_eval.SETTINGS,
        "data.hold_out": "none",
        "knn.neighbours": (5,),
        "data.train_split": "",
        "data.test_split": "",
        "data.tfds_name": "",
      },
    )
  },
  folder=True,
)


@pytest.mark.slow
def test_an_experiment_runs_and_is_not_run_again(tmp_path, monkeypatch, capfd):
  monkeypatch.setitem(scales.SCALES, "tiny", SCALE)
  monkeypatch.setenv("JAX_PLATFORMS", "cpu")
  monkeypatch.chdir(tiny.ROOT)
  flags = ["--scale=tiny", f"--results={tmp_path}/results"]
  flags += [f"--runs={tmp_path}/runs", "--jobs=2"]
  for expected in ("0 of 2 cells", "2 of 2 cells"):
    children = processes.Children()
    assert runner.run((EXPERIMENT,), flags, children) == 0
    assert expected in capfd.readouterr().out
  folder = pathlib.Path(tmp_path) / "results" / "tiny"
  lines = (folder / "tiny_table.jsonl").read_text().splitlines()
  found = {line["row"]: line for line in map(json.loads, lines)}
  assert len(lines) == 2
  assert 0.1 < found["BYOL"]["scores"]["top1_k5"] <= 1.0
  assert found["BYOL"]["statistics"]["loss"] > 0.0
  assert found["diverges"]["status"] == "diverged"
  assert str(tmp_path) not in lines[0] + lines[1]
  assert "diverged" in (folder / "tiny_table.md").read_text()
  assert (folder / "tiny_table.png").stat().st_size > 1000
