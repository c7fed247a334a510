"""Scores of a sweep's points that an earlier run left."""

import json
from typing import NamedTuple

import pytest

from byol_jax.evaluation import recipe, sweep
from configs.eval import linear

POINT = recipe.Point((0.5, 0.25), 0.0, 4.0)


class Tool(NamedTuple):
  """As much of a trainer as the scoring of a point takes."""

  config: object


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """A folder of points, where training gives the scores 0.5 and 0.75."""

  def score(trainer, state, split):
    return [{"top1": 0.5}, {"top1": 0.75}]

  monkeypatch.setattr(sweep.classifier, "train", lambda *arguments: None)
  monkeypatch.setattr(sweep.classifier, "score", score)
  (tmp_path / "rate_0.5_0.25_decay_0_epochs_4").mkdir()
  return tmp_path


def _scores(folder):
  config = linear.get_config()
  config.data.metric = "top1"
  trainer = Tool(config)
  return sweep._valid_scores(trainer, POINT, (None, None), str(folder))


def _file(folder):
  return folder / "rate_0.5_0.25_decay_0_epochs_4" / "valid.json"


def test_a_point_is_scored_once(folder):
  assert _scores(folder) == [0.5, 0.75]
  assert json.loads(_file(folder).read_text()) == [0.5, 0.75]
  _file(folder).write_text("[0.125, -1.0]")
  assert _scores(folder) == [0.125, -1.0]


@pytest.mark.parametrize(
  "text",
  ["", "[0.5, 0.", "[0.5]", "[0.5, NaN]", '[0.5, "x"]', "{}", "null", "\0"],
)
def test_damaged_scores_are_computed_again(folder, text):
  _file(folder).write_text(text)
  assert _scores(folder) == [0.5, 0.75]
  assert json.loads(_file(folder).read_text()) == [0.5, 0.75]
