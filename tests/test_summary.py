import json

import numpy as np
import pytest
import tiny

from byol_jax import inputs
from byol_jax.evaluation import features, summary

ROWS = {
  "BYOL": {"knn_top1": 0.5, "linear_top1": 0.625},
  "untrained": {"knn_top1": 0.25, "linear_top1": 1.0},
}


def _finish(config, workdir, networks=None):
  data = inputs.open_inputs(config)
  encode = features.plain_encodes()["pixels"]
  return summary.finish(config, data, encode, networks or {}, str(workdir))


def _config(**changes):
  return tiny.config(evaluation__probe_images=200, **changes)


def test_table_is_in_per_cent():
  assert summary.table(ROWS).splitlines() == [
    "               knn_top1   linear_top1",
    "BYOL               50.0          62.5",
    "untrained          25.0         100.0",
  ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("run")
  config = _config(evaluation__baselines=True)
  return config, workdir, _finish(config, workdir, {"network": None})


def test_finish_scores_networks_and_plain_features(finished):
  _, _, results = finished
  scores = results["scores"]
  assert list(scores) == ["network", "pixels", "colour histogram"]
  # The network that it was given shows pixels.
  assert scores["network"] == scores["pixels"]
  for row in scores.values():
    assert 0.15 < row["knn_top1"] < row["linear_top1"] < 0.95


def test_finish_writes_what_it_returns(finished):
  config, workdir, results = finished
  saved = json.loads((workdir / "summary.json").read_text())
  assert saved == results
  assert saved["config"]["seed"] == config.seed
  assert saved["device"] == "2 x cpu"
  assert saved["checkpoint"] == f"{workdir}/checkpoints"


def test_earlier_results_are_those_of_the_same_config(finished):
  config, workdir, results = finished
  assert summary.earlier(config, str(workdir)) == results
  other = _config(evaluation__baselines=True, seed=1)
  assert summary.earlier(other, str(workdir)) is None
  assert summary.earlier(config, str(workdir / "none")) is None


@pytest.mark.parametrize(
  "changes",
  [
    {"scores": [1]},
    {"scores": {"BYOL": 3}},
    {"scores": {"BYOL": {"knn_top1": "high"}}},
    {"scores": {**ROWS, "other": {}}},
    {"checkpoint": ""},
  ],
)
def test_a_summary_with_wrong_keys_is_none(finished, tmp_path, changes):
  config, _, results = finished
  path = tmp_path / "summary.json"
  path.write_text(json.dumps(results))
  assert summary.earlier(config, str(tmp_path)) == results
  path.write_text(json.dumps({**results, **changes}))
  assert summary.earlier(config, str(tmp_path)) is None


@pytest.mark.parametrize("text", ["", '{"scores": {"BY', "[]", "null", "\0\0"])
def test_a_damaged_summary_is_none(finished, tmp_path, text):
  (tmp_path / "summary.json").write_text(text)
  assert summary.earlier(finished[0], str(tmp_path)) is None


def test_report_prints_the_table_and_the_places(tmp_path, capsys):
  results = {"scores": ROWS, "checkpoint": "run/checkpoints"}
  summary.report(results, str(tmp_path))
  lines = capsys.readouterr().out.splitlines()
  assert lines[:3] == summary.table(ROWS).splitlines()
  assert lines[3:] == [
    "Checkpoint: run/checkpoints",
    f"Summary: {tmp_path}/summary.json",
  ]


def test_without_probe_the_table_has_the_online_scores(tmp_path, capsys):
  config = tiny.config(evaluation__probe_images=0)
  results = _finish(config, tmp_path, {"network": None})
  row = results["scores"]["network"]
  assert set(row) == {"test_knn_top1", "test_effective_rank"}
  summary.report(results, str(tmp_path))
  rank, shares = row["test_effective_rank"], 100.0 * row["test_knn_top1"]
  cells = capsys.readouterr().out.splitlines()[1].split()
  assert cells == ["network", f"{shares:.1f}", f"{rank:.1f}"]


def test_without_a_test_split_there_is_the_rank_in_training():
  config = tiny.config()
  data = inputs.open_inputs(config)._replace(test=None)
  encode = features.plain_encodes()["pixels"]
  got = summary.make_scores(config, data, encode)(None)
  assert list(got) == ["train_effective_rank"]
  pixels = data.train.images.reshape(len(data.train.images), -1)
  assert 3.0 < got["train_effective_rank"] < pixels.shape[1]


def test_pictures_are_chosen_once(monkeypatch):
  chosen = []

  def subset(*args):
    chosen.append(args)
    return args[0]

  monkeypatch.setattr(inputs, "subset", subset)
  config = tiny.config()
  encode = features.plain_encodes()["colour histogram"]
  scores = summary.make_scores(config, inputs.open_inputs(config), encode)
  assert scores(None) == scores(None)
  assert len(chosen) == 1


def test_online_scores_are_of_the_test_split():
  config = tiny.config()
  data = inputs.open_inputs(config)
  encode = features.plain_encodes()["colour histogram"]
  got = summary.make_scores(config, data, encode)(None)
  assert set(got) == {"test_knn_top1", "test_effective_rank"}
  assert got["test_knn_top1"] > 1.5 / data.num_classes
  bank = inputs.subset(data.train, 64, config.seed)
  extracted = [
    features.extract(encode, None, inputs.eval_batches(data, source, 256))
    for source in (bank, data.test)
  ]
  cosines = extracted[1].representation @ extracted[0].representation.T
  cosines /= np.linalg.norm(extracted[0].representation, axis=1)[None, :]
  nearest = extracted[0].labels[np.argmax(cosines, axis=1)]
  one = tiny.config(evaluation__knn_neighbours=1)
  got = summary.make_scores(one, data, encode)(None)["test_knn_top1"]
  np.testing.assert_allclose(
    got, np.mean(nearest == extracted[1].labels), atol=0.01
  )
