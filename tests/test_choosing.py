"""The choice of a rate, with trainings that are none."""

import json
import types

import pytest

from byol_jax.dense import choosing, training, update
from byol_jax.dense import task as tasks

SCORES = {0.1: 0.5, 0.3: 0.75, 1.0: "diverged"}


@pytest.fixture
def trained(monkeypatch):
  """The rates that were trained, each of which scores as `SCORES` has it."""
  rates = []

  def train(run, data, rate, workdir):
    rates.append(rate)
    assert (data.train, data.valid) == ("train", "valid")
    if SCORES[rate] == "diverged":
      raise FloatingPointError("loss is nan at step 3")
    return rate

  monkeypatch.setattr(training, "train", train)
  monkeypatch.setattr(update, "variables", lambda state: state)
  return rates


def _run(rates, higher_is_better=True):
  config = types.SimpleNamespace(
    optimizer=types.SimpleNamespace(learning_rates=rates)
  )
  task = types.SimpleNamespace(
    evaluate=lambda rate, source: tasks.Tested({"miou": SCORES[rate]}),
    metric="miou",
    higher_is_better=higher_is_better,
  )
  return types.SimpleNamespace(config=config, task=task)


PARTS = types.SimpleNamespace(train="train", valid="valid")


@pytest.mark.parametrize(("higher", "best"), [(True, 0.3), (False, 0.1)])
def test_the_best_rate_is_chosen(trained, tmp_path, higher, best):
  run = _run(tuple(SCORES), higher)
  chosen, candidates = choosing.choose(run, PARTS, str(tmp_path))
  assert chosen == {"learning_rate": best, "valid_score": SCORES[best]}
  assert {x["learning_rate"]: x["valid_score"] for x in candidates} == SCORES


def test_rates_that_are_done_are_not_trained_again(trained, tmp_path):
  place = tmp_path / "rate_0.3"
  place.mkdir()
  (place / "valid.json").write_text("0.25")
  chosen, _ = choosing.choose(_run((0.1, 0.3)), PARTS, str(tmp_path))
  assert trained == [0.1]
  assert chosen["learning_rate"] == 0.1
  written = json.loads((tmp_path / "rate_0.1/valid.json").read_text())
  assert written == SCORES[0.1]


@pytest.mark.parametrize("damaged", ["", "[0.5]", "NaN", '"lost"'])
def test_a_damaged_score_is_made_again(trained, tmp_path, damaged):
  place = tmp_path / "rate_0.1"
  place.mkdir()
  (place / "valid.json").write_text(damaged)
  choosing.choose(_run((0.1,)), PARTS, str(tmp_path))
  assert trained == [0.1]


def test_a_sweep_of_which_nothing_is_left_is_refused(trained, tmp_path):
  with pytest.raises(ValueError, match=r"lower optimizer.learning_rates=\(1"):
    choosing.choose(_run((1.0,)), PARTS, str(tmp_path))


def test_of_a_rate_that_is_done_only_the_score_is_left(trained, tmp_path):
  (tmp_path / "rate_0.1/checkpoints/100").mkdir(parents=True)
  choosing.choose(_run((0.1,)), PARTS, str(tmp_path))
  assert [x.name for x in (tmp_path / "rate_0.1").iterdir()] == ["valid.json"]
