"""How the learning rate and the target decay change over a run."""

from collections.abc import Sequence

import chex
import jax.numpy as jnp
import optax


def learning_rate(
  peak: float, num_steps: int, num_warmup_steps: int
) -> optax.Schedule:
  """Linear warm-up from zero, then a cosine to zero, no restarts.

  Source: paper, "Optimization". Written out rather than taken from optax,
  whose warm-up subtracts from the peak and so loses the first steps' digits.

  Args:
    peak: rate at the end of the warm-up.
    num_steps: length of the run; the rate is 0 from there on.
    num_warmup_steps: may be 0.

  Returns:
    A function of the step, a number from 0.

  Raises:
    ValueError: the warm-up is negative or as long as the run.
  """
  if not 0 <= num_warmup_steps < num_steps:
    raise ValueError(
      f"num_warmup_steps={num_warmup_steps} must lie in [0, {num_steps})."
    )

  def schedule(step: chex.Numeric) -> chex.Numeric:
    warmup = jnp.asarray(step, jnp.float32) / max(num_warmup_steps, 1) * peak
    cosine = peak * _cosine(
      step - num_warmup_steps, num_steps - num_warmup_steps
    )
    return jnp.where(step < num_warmup_steps, warmup, cosine)

  return schedule


def stepwise(
  peak: float,
  num_steps: int,
  num_warmup_steps: int,
  drops: Sequence[float],
  factor: float,
) -> optax.Schedule:
  """Linear warm-up from zero, then constant, falling at some steps.

  Source: paper, "Transfer to other vision tasks": the rate is multiplied by 0.1
  at 70 % and 90 % of a segmentation's steps.

  Args:
    peak: rate at the end of the warm-up.
    num_steps: length of the run.
    num_warmup_steps: may be 0.
    drops: shares of the run, in (0, 1), at which the rate falls.
    factor: what it is multiplied by each time.

  Returns:
    A function of the step, a number from 0.

  Raises:
    ValueError: the warm-up is negative or as long as the run.
  """
  if not 0 <= num_warmup_steps < num_steps:
    raise ValueError(
      f"num_warmup_steps={num_warmup_steps} must lie in [0, {num_steps})."
    )
  falls = optax.piecewise_constant_schedule(
    peak, {round(share * num_steps): factor for share in drops}
  )

  def schedule(step: chex.Numeric) -> chex.Numeric:
    warmup = jnp.asarray(step, jnp.float32) / max(num_warmup_steps, 1)
    return jnp.where(step < num_warmup_steps, warmup, 1.0) * falls(step)

  return schedule


def target_decay(base: float, num_steps: int) -> optax.Schedule:
  """Share of the old target that one step keeps: from `base` to 1.

  Source: paper, "Optimization": 1 - (1 - base) (cos(pi k / K) + 1) / 2. There
  is no warm-up.

  Args:
    base: in [0, 1]; 0.996 in the main experiment.
    num_steps: K, the length of the run.

  Returns:
    A function of the step k, a number from 0.
  """

  def schedule(step: chex.Numeric) -> chex.Numeric:
    return 1.0 - (1.0 - base) * _cosine(step, num_steps)

  return schedule


def _cosine(step: chex.Numeric, num_steps: int) -> chex.Numeric:
  """Half a cosine, from 1 at step 0 to 0 at `num_steps` and after."""
  step = jnp.minimum(step, num_steps)
  return 0.5 * (1.0 + jnp.cos(jnp.pi * step / num_steps))
