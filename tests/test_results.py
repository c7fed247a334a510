"""What tells results apart, and where they lie."""

import numpy as np
import pytest

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


def _result(key, score):
  return {
    "key": key,
    "title": "knn",
    "set": "",
    "metric": "top1",
    "scores": {"top1": score},
    "encoder": {"name": "run"},
    "sizes": {"train": 2, "test": 1},
    "wall_secs": 1.0,
  }


def _earlier(workdir, key):
  return results.earlier(str(workdir), key)


def test_the_history_keeps_every_result(tmp_path):
  for number in range(3):
    results.write(_result(f"k{number % 2}", number / 4), str(tmp_path))
  assert _earlier(tmp_path, "k0") == _result("k0", 0.5)
  assert _earlier(tmp_path, "k1") == _result("k1", 0.25)
  assert _earlier(tmp_path, "k2") is None
  assert _earlier(tmp_path / "none", "k0") is None


@pytest.mark.parametrize(
  "line",
  [
    b'{"key": "k1", "num',
    b'{"key": "k1", "scores": {}}',
    b'{"key": "k1"}{"key": "k1"}',
    b"[1]",
    b"\0\0\0",
    b"\xff\xfe",
  ],
)
def test_a_damaged_history_keeps_its_good_lines(tmp_path, line):
  results.write(_result("k1", 0.25), str(tmp_path))
  with (tmp_path / "results.jsonl").open("ab") as file:
    file.write(line)
  assert _earlier(tmp_path, "k1") == _result("k1", 0.25)
  results.write(_result("k2", 0.75), str(tmp_path))
  assert _earlier(tmp_path, "k1") == _result("k1", 0.25)
  assert _earlier(tmp_path, "k2") == _result("k2", 0.75)


@pytest.mark.parametrize(
  "changes",
  [
    {"scores": {}},
    {"scores": {"top1": float("nan")}},
    {"scores": {"top1": "high"}},
    {"scores": None},
    {"sizes": 3},
    {"encoder": "run"},
    {"wall_secs": None},
    {"metric": 1},
  ],
)
def test_a_result_with_wrong_keys_is_none(tmp_path, changes):
  results.write({**_result("k1", 0.5), **changes}, str(tmp_path))
  assert _earlier(tmp_path, "k1") is None


def test_a_line_says_what_has_to_be_beaten():
  result = _result("k", 0.5)
  assert "50.0 % of 1 test pictures; encoder" in results.line(result)
  result["baseline"] = {"top1": 0.25, "rms": 1.0}
  assert "50.0 % of 1 test pictures (baseline 25.0 %); " in results.line(result)
