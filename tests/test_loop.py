import itertools
import json
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import checkpoint, jobs, loop, parallel, stopping


class State(NamedTuple):
  step: jax.Array
  total: jax.Array


PLAN = jobs.Plan(
  num_steps=7,
  images_per_step=2,
  log_every=2,
  evaluate_every=3,
  checkpoint_every=4,
  keep=5,
)

LINES = [
  {"step": 2, "loss": 3.0},
  {"step": 3, "score": 3.0},
  {"step": 4, "loss": 10.0},
  {"step": 6, "loss": 21.0, "score": 10.5},
  {"step": 7, "loss": 28.0, "score": 14.0},
]


def _job(calls, batches=None):
  """Adds up its batches 1, 2, 3, ...; the state of step n is n(n + 1) / 2."""

  def init():
    calls.append("init")
    return parallel.replicate(State(np.int32(0), np.float32(0.0)))

  def step(state, batch):
    total = state.total + jax.lax.pmean(batch["value"][0], parallel.AXIS)
    return State(state.step + 1, total), {"loss": total}

  def number(first):
    calls.append(f"batches from {first}")
    for value in batches or itertools.count(first + 1):
      yield parallel.shard(
        {
          "value": np.full(2, value, np.float32),
          "index": np.arange(2, dtype=np.int32) + 10 * int(first),
        }
      )

  def evaluate(state):
    calls.append(f"evaluate {parallel.first(state.step)}")
    return {"score": float(parallel.first(state.total)) / 2}

  return jobs.Job(
    init=init,
    shapes=lambda: State(
      jax.ShapeDtypeStruct((), jnp.int32), jax.ShapeDtypeStruct((), jnp.float32)
    ),
    step=parallel.pmap(step, donate=True),
    batches=number,
    evaluate=evaluate,
    config_json=json.dumps({"a": 1}),
  )


def _lines(workdir):
  text = (workdir / "metrics.jsonl").read_text()
  return [json.loads(line) for line in text.splitlines()]


def _steps(workdir):
  folder = workdir / checkpoint.FOLDER
  return sorted(int(path.name) for path in folder.iterdir())


def test_run_logs_evaluates_and_saves_each_at_its_period(tmp_path):
  calls = []
  state, first_step = loop.run(_job(calls), PLAN, str(tmp_path))
  assert first_step == 0
  assert (parallel.first(state).step, parallel.first(state).total) == (7, 28.0)
  assert calls == [
    "init",
    "batches from 0",
    "evaluate 3",
    "evaluate 6",
    "evaluate 7",
  ]
  assert _lines(tmp_path) == LINES
  assert _steps(tmp_path) == [4, 7]


def test_a_period_of_0_means_only_at_the_end(tmp_path):
  calls = []
  plan = PLAN._replace(evaluate_every=0, checkpoint_every=0)
  loop.run(_job(calls), plan, str(tmp_path))
  assert [call for call in calls if "evaluate" in call] == ["evaluate 7"]
  assert _steps(tmp_path) == [7]


def test_run_continues_after_the_newest_checkpoint(tmp_path, capsys):
  loop.run(_job([]), PLAN._replace(num_steps=4), str(tmp_path))
  calls = []
  state, first_step = loop.run(_job(calls), PLAN, str(tmp_path))
  assert first_step == 4
  assert parallel.first(state).total == 28.0
  assert calls[0] == "batches from 4"
  assert [line["step"] for line in _lines(tmp_path)] == [2, 3, 4, 6, 7]
  assert f"Found step 4 in {tmp_path}" in capsys.readouterr().err


def test_a_finished_run_does_nothing(tmp_path):
  loop.run(_job([]), PLAN, str(tmp_path))
  before = set(tmp_path.rglob("*"))
  calls = []
  state, first_step = loop.run(_job(calls), PLAN, str(tmp_path))
  assert (first_step, parallel.first(state).total) == (7, 28.0)
  assert calls == []
  assert set(tmp_path.rglob("*")) == before


def test_run_says_which_settings_changed(tmp_path, capsys):
  loop.run(_job([]), PLAN._replace(num_steps=4), str(tmp_path))
  changed = _job([])._replace(config_json=json.dumps({"a": 2}))
  loop.run(changed, PLAN, str(tmp_path))
  said = capsys.readouterr().err
  assert "Continuing with changed settings: a 1 -> 2.\n" in said


def test_a_finished_run_is_not_another_ones_result(tmp_path):
  before = {"seed": 0, "log_every": 5, "training": {"shard_state": False}}
  job = _job([])._replace(config_json=json.dumps(before))
  loop.run(job, PLAN, str(tmp_path))
  after = {**before, "log_every": 6, "training": {"shard_state": True}}
  harmless = job._replace(config_json=json.dumps(after))
  assert loop.run(harmless, PLAN, str(tmp_path))[1] == 7
  other = job._replace(config_json=json.dumps({**before, "seed": 1}))
  with pytest.raises(ValueError, match=r"is finished; .* \(seed 0 -> 1\)"):
    loop.run(other, PLAN, str(tmp_path))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_loss_stops_before_it_is_saved(tmp_path, bad):
  job = _job([], [1.0, 2.0, 3.0, 4.0, 5.0, bad, 7.0])
  with pytest.raises(
    FloatingPointError, match=r"^The loss is (nan|inf) at step 6: lower"
  ):
    loop.run(job, PLAN, str(tmp_path))
  assert _steps(tmp_path) == [4]


def test_a_bad_loss_is_found_where_none_is_logged_or_saved(tmp_path):
  seen = itertools.chain([1.0, 2.0, np.nan], itertools.repeat(1.0))
  plan = PLAN._replace(num_steps=500, log_every=500, evaluate_every=0)
  job = _job([], seen)
  with pytest.raises(FloatingPointError, match=r"^The loss is nan at step 3:"):
    loop.run(job, plan._replace(checkpoint_every=0), str(tmp_path))
  assert _steps(tmp_path) == []


def test_a_bad_state_is_not_saved_though_its_loss_is_fine(tmp_path):
  job = _job([])

  def step(state, batch):
    state, metrics = job.step(state, batch)
    bad = jax.tree.map(lambda x: x * np.float32(np.nan), state.total)
    return state._replace(total=bad), {**metrics, "loss": batch["value"][:, 0]}

  with pytest.raises(FloatingPointError, match=r"^total is not finite at step"):
    loop.run(job._replace(step=step), PLAN, str(tmp_path))
  assert _steps(tmp_path) == []


def _stops_at(monkeypatch, call):
  """The n-th time that somebody asks, and from then on, it is due."""
  calls = itertools.count(1)
  monkeypatch.setattr(stopping, "due", lambda: next(calls) >= call)


def test_a_request_to_stop_saves_and_loses_nothing(tmp_path, monkeypatch):
  _stops_at(monkeypatch, 5)
  with pytest.raises(stopping.StoppedError):
    loop.run(_job([]), PLAN, str(tmp_path))
  monkeypatch.undo()
  assert _steps(tmp_path) == [4, 5]
  calls = []
  state, first_step = loop.run(_job(calls), PLAN, str(tmp_path))
  assert first_step == 5
  assert parallel.first(state).total == 28.0
  assert calls == ["batches from 5", "evaluate 6", "evaluate 7"]
  assert _lines(tmp_path) == LINES


def test_an_evaluation_that_is_due_at_a_stop_is_made_later(
  tmp_path, monkeypatch
):
  _stops_at(monkeypatch, 6)
  calls = []
  with pytest.raises(stopping.StoppedError):
    loop.run(_job(calls), PLAN, str(tmp_path))
  monkeypatch.undo()
  assert "evaluate 6" not in calls
  assert [line["step"] for line in _lines(tmp_path)] == [2, 3, 4]
  calls = []
  loop.run(_job(calls), PLAN, str(tmp_path))
  assert calls == ["evaluate 6", "batches from 6", "evaluate 7"]
  assert _lines(tmp_path) == LINES


def test_an_evaluation_that_is_cut_short_is_made_again(tmp_path):
  job = _job([])

  def evaluate(state):
    if parallel.first(state.step) == 3:
      raise stopping.StoppedError
    return job.evaluate(state)

  for _ in range(2):  # The second time before any step.
    with pytest.raises(stopping.StoppedError):
      loop.run(job._replace(evaluate=evaluate), PLAN, str(tmp_path))
  assert [line["step"] for line in _lines(tmp_path)] == [2]
  loop.run(job, PLAN, str(tmp_path))
  assert _lines(tmp_path) == LINES
  loop.run(job, PLAN, str(tmp_path))
  assert _lines(tmp_path) == LINES


def test_what_no_step_waits_for_follows_each_record(tmp_path, monkeypatch):
  seen = []
  job = _job([])._replace(aside=lambda: seen.append(_lines(tmp_path)[-1]))
  _stops_at(monkeypatch, 4)
  with pytest.raises(stopping.StoppedError):
    loop.run(job, PLAN, str(tmp_path))
  assert seen == LINES[:2]  # Nor does who wants to stop.
  monkeypatch.undo()
  loop.run(job, PLAN, str(tmp_path))
  assert seen == LINES[:2] + LINES[3:]


def test_a_stop_at_the_last_step_is_evaluated_once(tmp_path, monkeypatch):
  _stops_at(monkeypatch, 7)
  with pytest.raises(stopping.StoppedError):
    loop.run(_job([]), PLAN, str(tmp_path))
  monkeypatch.undo()
  for expected in (["evaluate 7"], []):
    calls = []
    loop.run(_job(calls), PLAN, str(tmp_path))
    assert [call for call in calls if "evaluate" in call] == expected
    assert _lines(tmp_path) == LINES


def test_an_evaluation_without_scores_adds_no_line(tmp_path, monkeypatch):
  job = _job([])._replace(evaluate=lambda state: {})
  _stops_at(monkeypatch, 3)
  with pytest.raises(stopping.StoppedError):
    loop.run(job, PLAN, str(tmp_path))
  monkeypatch.undo()
  loop.run(job, PLAN, str(tmp_path))
  assert [line["step"] for line in _lines(tmp_path)] == [2, 4, 6, 7]


def test_replicas_are_compared_now_and_then_also_where_a_step_is_saved(
  tmp_path, monkeypatch
):
  compared = []
  monkeypatch.setattr(loop, "_COMPARE_EVERY", 4)
  monkeypatch.setattr(
    loop.replicas, "check", lambda state, step: compared.append(step)
  )
  loop.run(_job([]), PLAN._replace(num_steps=9), str(tmp_path))
  assert compared == [4, 8]


def test_a_checkpoint_of_another_shape_is_refused(tmp_path):
  loop.run(_job([]), PLAN, str(tmp_path))
  other = State(
    jax.ShapeDtypeStruct((), jnp.int32), jax.ShapeDtypeStruct((3,), jnp.float32)
  )
  job = _job([])._replace(shapes=lambda: other)
  with pytest.raises(checkpoint.CheckpointError, match=r"total is float32\[\]"):
    loop.run(job, PLAN, str(tmp_path))
