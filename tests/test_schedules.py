import math

import jax
import numpy as np
import pytest

from byol_jax import schedules


def paper_rate(step, peak, num_steps, num_warmup_steps):
  if step < num_warmup_steps:
    return peak * step / num_warmup_steps
  progress = (step - num_warmup_steps) / (num_steps - num_warmup_steps)
  return peak * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))


@pytest.mark.parametrize("step", [0, 1, 3126, 3127, 3128, 150_000, 312_784])
def test_learning_rate_follows_the_main_experiment(step):
  schedule = jax.jit(schedules.learning_rate(3.2, 312_784, 3127))
  expected = paper_rate(step, 3.2, 312_784, 3127)
  np.testing.assert_allclose(schedule(step), expected, rtol=1e-5, atol=1e-6)


def test_learning_rate_ends_at_zero_and_stays():
  schedule = schedules.learning_rate(1.0, 10, 2)
  assert schedule(5) > 0.1
  np.testing.assert_allclose(schedule(10), 0.0, atol=1e-6)
  np.testing.assert_allclose(schedule(20), 0.0, atol=1e-6)


def test_learning_rate_without_warm_up_starts_at_the_peak():
  assert schedules.learning_rate(0.7, 10, 0)(0) == np.float32(0.7)


@pytest.mark.parametrize("warmup", [-1, 10, 11])
def test_learning_rate_refuses_a_warm_up_that_fills_the_run(warmup):
  with pytest.raises(ValueError, match=f"num_warmup_steps={warmup}"):
    schedules.learning_rate(1.0, 10, warmup)


@pytest.mark.parametrize("step", [0, 1, 500, 999, 1000, 1200])
def test_target_decay_follows_the_paper(step):
  k = min(step, 1000)
  expected = 1 - (1 - 0.996) * (math.cos(math.pi * k / 1000) + 1) / 2
  decay = jax.jit(schedules.target_decay(0.996, 1000))(step)
  np.testing.assert_allclose(decay, expected, rtol=1e-6)


def test_target_decay_rises_from_the_base_to_one():
  schedule = schedules.target_decay(0.9, 100)
  values = [float(schedule(step)) for step in range(101)]
  assert values[0] == pytest.approx(0.9)
  assert values[-1] == 1.0
  assert all(np.diff(values) > 0.0)


def test_a_stepwise_rate_falls_at_its_shares_of_the_run():
  rate = schedules.stepwise(0.4, 100, 0, (0.7, 0.9), 0.1)
  found = [float(rate(step)) for step in (0, 69, 70, 89, 90, 99)]
  expected = [0.4, 0.4, 0.04, 0.04, 0.004, 0.004]
  np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_stepwise_rate_warms_up_from_zero():
  rate = schedules.stepwise(0.4, 100, 10, (), 0.1)
  found = [float(rate(step)) for step in (0, 5, 10, 99)]
  np.testing.assert_allclose(found, [0.0, 0.2, 0.4, 0.4], rtol=1e-6)
