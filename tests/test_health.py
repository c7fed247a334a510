import json

import numpy as np
import pytest

from byol_jax import health, parallel


def _metrics(**values):
  return parallel.replicate({k: np.float32(v) for k, v in values.items()})


def _batch(step):
  return parallel.shard({"index": np.arange(4, dtype=np.int32) + 10 * step})


def _add(losses, steps):
  for number, values in enumerate(steps, 1):
    losses.add(number, _metrics(**values), _batch(number))
  losses.settle()


GOOD = {"loss": 1.0, "regression_loss": 1.0}
BAD = {"loss": np.nan, "regression_loss": 1.0}


def test_what_went_bad_first_is_named_with_its_step(tmp_path):
  early = {"loss": 1.0, "regression_loss": np.inf}
  losses = health.Losses(str(tmp_path))
  with pytest.raises(
    FloatingPointError, match=r"^The regression_loss is inf at step 2: lower"
  ):
    _add(losses, [GOOD, early, BAD])


def test_the_pictures_to_look_at_are_named(tmp_path):
  losses = health.Losses(str(tmp_path), name_of=lambda place: f"{place}.jpg")
  with pytest.raises(FloatingPointError, match=r"that .*diverged\.json names"):
    _add(losses, [GOOD, GOOD, BAD])
  report = json.loads((tmp_path / health.REPORT).read_text())
  assert report["step"] == 3
  assert report["metrics"]["2"] == GOOD
  assert report["index"] == {"2": [20, 21, 22, 23], "3": [30, 31, 32, 33]}
  assert report["names"]["3"] == ["30.jpg", "31.jpg", "32.jpg", "33.jpg"]


def test_a_loss_is_read_two_steps_later(tmp_path):
  losses = health.Losses(str(tmp_path))
  for number, values in enumerate([BAD, GOOD], 1):
    losses.add(number, _metrics(**values), {})
  with pytest.raises(FloatingPointError, match="at step 1:"):
    losses.add(3, _metrics(**GOOD), {})


def _skipped(*counts):
  return [
    {"loss": np.nan if count else 1.0, "skipped_steps": count}
    for count in counts
  ]


def test_steps_that_may_be_left_out_are_said(tmp_path, capsys):
  losses = health.Losses(str(tmp_path), max_skipped=2)
  _add(losses, _skipped(0, 1, 1, 2))
  assert capsys.readouterr().err == (
    "Step 2 is left out (1 of at most 2): the loss is nan.\n"
    "Step 4 is left out (2 of at most 2): the loss is nan.\n"
  )


def test_more_steps_than_may_be_left_out_stop_the_run(tmp_path):
  losses = health.Losses(str(tmp_path), max_skipped=1)
  with pytest.raises(
    FloatingPointError, match=r"max_skipped_steps=1 are left out already"
  ):
    _add(losses, _skipped(0, 1, 2))


@pytest.mark.parametrize(
  ("spreads", "warned"),
  [
    ([0.04, 0.04, 0.04], [False, False, True]),
    ([0.04, 0.04, 0.06, 0.04], [False] * 4),
    ([0.01] * 5, [False, False, True, False, False]),
  ],
)
def test_collapse_is_said_once_when_it_lasts(spreads, warned):
  collapse = health.Collapse()
  said = [
    collapse.look(step, {"projection_std": x, "image_cosine": 0.99})
    for step, x in enumerate(spreads)
  ]
  assert [text.startswith("Collapse at step") for text in said] == warned


def test_runs_without_projections_do_not_collapse():
  collapse = health.Collapse()
  assert not any(collapse.look(step, {"loss": 0.0}) for step in range(5))
