"""What tells results apart, and where they lie."""

import numpy as np
import pytest

from byol_jax import evaluate
from byol_jax.evaluation import results, subject
from tests import tiny_eval


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("run")
  tiny_eval.save_encoder(workdir)
  return workdir


def test_results_are_told_apart_by_what_matters(encoder):
  config = tiny_eval.config("linear", encoder)
  found = subject.find(config)
  key = results.key(config, found, [3])
  assert key == results.key(config, found._replace(name="other path"), [3])
  assert key != results.key(config, found, [4])
  assert key != results.key(
    tiny_eval.config("linear", encoder, changes={"seed": 1}), found, [3]
  )
  sets = {"data.source": "set", "data.sets": ("pets",)}
  one = results.key(tiny_eval.config("knn", encoder, changes=sets), found, [3])
  sets["data.sets"] = ("pets", "cars")
  assert one == results.key(
    tiny_eval.config("knn", encoder, changes=sets), found, [3]
  )
  other = found.variables._replace(params={"x": {"w": np.ones(3)}})
  assert key != results.key(config, found._replace(variables=other), [3])


@pytest.mark.parametrize(
  ("path", "workdir"),
  [
    ("runs/x", "runs/x/eval/knn"),
    ("runs/x/checkpoints/", "runs/x/eval/knn"),
    ("runs/x/checkpoints/12", "runs/x/eval/knn"),
    ("random", "runs/eval/knn_random"),
  ],
)
def test_results_lie_beside_the_run(encoder, path, workdir):
  config = tiny_eval.config("knn", path)
  assert evaluate.default_workdir(config, "knn") == workdir


def test_the_history_keeps_every_result(tmp_path):
  for number in range(3):
    results.write({"key": f"k{number % 2}", "number": number}, str(tmp_path))
  assert results.earlier(str(tmp_path), "k0")["number"] == 2
  assert results.earlier(str(tmp_path), "k1")["number"] == 1
  assert results.earlier(str(tmp_path), "k2") is None
  with (tmp_path / "results.jsonl").open("a") as file:
    file.write('{"key": "k1", "num')
  assert results.earlier(str(tmp_path), "k1")["number"] == 1
