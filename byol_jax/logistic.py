"""L2-regularised logistic regression over a path of strengths, pure.

The objective is the SUM over rows of cross-entropies plus strength / 2 times
the sum of squared weights; biases are free. scikit-learn's C is 1 / strength.
For the mean over rows, divide the strengths by their number.

L-BFGS, as in the paper, made fast by two facts. Rotating and shifting features
changes no penalty: on their principal axes the Hessian has a diagonal bound
(Böhning 1992), from which L-BFGS starts. And logits are linear along a step:
finding its best length takes no product with the features.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

# Steps that L-BFGS remembers: twice as many save no time.
_MEMORY = 10
# A step ends where its slope has fallen to this share; less saves no steps.
_SLOPE_SHARE = 0.1
# A trial is at most so much longer than the last one.
_GROWTH = 10.0
_MAX_TRIALS = 50


class Limits(NamedTuple):
  """When to stop.

  Attributes:
    tolerance: largest length of the gradient, as a share of its length at zero
      weights and biases, features centred. Float32 reaches about 1e-6.
    max_steps: for one strength.
  """

  tolerance: float = 1e-5
  max_steps: int = 1000


class Path(NamedTuple):
  """A classifier for each strength.

  Attributes:
    weights: [num_strengths, dim, num_classes].
    biases: [num_strengths, num_classes].
    gradient_norms: [num_strengths] reached, shares like `Limits.tolerance`.
    num_steps: [num_strengths] int32.
  """

  weights: chex.Array
  biases: chex.Array
  gradient_norms: chex.Array
  num_steps: chex.Array


class _Problem(NamedTuple):
  """The objective without its strength; biases are weights of a feature 1."""

  features: chex.Array  # [n, dim]
  residual: Callable[[chex.Array], chex.Array]  # Slope of the loss by logits.
  curvature: chex.Array  # [dim, 1] above the Hessian of the loss.
  penalised: chex.Array  # [dim, 1] 0 for biases, else 1.
  start_norm: chex.Array  # Length of the gradient at 0.


class _Search(NamedTuple):
  """Where L-BFGS stands."""

  weights: chex.Array
  logits: chex.Array
  gradient: chex.Array
  memory: optax.OptState
  count: chex.Array


class _Trial(NamedTuple):
  """The length of a step, between `low`, too short, and `high`, too long."""

  length: chex.Array
  slope: chex.Array
  bend: chex.Array
  low: chex.Array
  high: chex.Array
  count: chex.Array


@functools.partial(jax.jit, static_argnames="num_classes")
def path(
  features: chex.Array,
  labels: chex.Array,
  strengths: chex.Array,
  num_classes: int,
  limits: Limits,
) -> Path:
  """Solves from the strongest penalty to the weakest, each from the last.

  Args:
    features: [n, dim], used as they are.
    labels: [n] int32 in [0, num_classes), for a softmax over classes; or [n,
      num_classes] of 1, 0 and -1, for a sigmoid of each class, where -1 is left
      out of the sum over rows and classes.
    strengths: [num_strengths] above 0, in any order.
    num_classes: width of the classifiers.
    limits: when to stop.

  Returns:
    The classifiers, in the order of `strengths`.
  """
  chex.assert_rank((features, labels, strengths), (2, {1, 2}, 1))
  chex.assert_equal_shape_prefix((features, labels), 1)
  mean = jnp.mean(features, axis=0, keepdims=True)
  # Again: rounding leaves something of a mean that is far from 0.
  mean += jnp.mean(features - mean, axis=0, keepdims=True)
  rotated, axes = _rotate(features - mean)
  problem = _make_problem(rotated, labels, num_classes)

  def solve_next(carry, strength):
    found = _solve(problem, strength, carry, limits)
    norm = jnp.linalg.norm(found.gradient) / problem.start_norm
    return (found.weights, carry[0]), (found.weights, norm, found.count)

  zero = jnp.zeros((problem.features.shape[1], num_classes))
  order = jnp.argsort(-strengths)
  _, solved = jax.lax.scan(solve_next, (zero, zero), strengths[order])
  inner, norms, counts = (x[jnp.argsort(order)] for x in solved)
  weights = jax.vmap(lambda w: _product(axes, w))(inner[:, :-1])
  shifts = jax.vmap(lambda w: _product(mean, w)[0])(weights)
  return Path(weights, inner[:, -1] - shifts, norms, counts)


def _rotate(centred):
  """Coordinates on the principal axes, and the axes, as columns."""
  num, dim = centred.shape
  if num < dim:
    # The weights of every solution lie in the span of the rows.
    basis, upper = jnp.linalg.qr(centred.T)
    rotated, axes = _rotate(upper.T)
    return rotated, _product(basis, axes)
  _, axes = jnp.linalg.eigh(_product(centred.T, centred))
  rotated = _product(centred, axes)
  lengths = jnp.linalg.norm(rotated, axis=0, keepdims=True)
  # What is shorter is the rounding error of the longest.
  shortest = num * jnp.finfo(jnp.float32).eps * jnp.max(lengths)
  return jnp.where(lengths > shortest, rotated, 0.0), axes


def _make_problem(features, labels, num_classes):
  features = jnp.pad(features, ((0, 0), (0, 1)), constant_values=1.0)
  squares = jnp.sum(jnp.square(features), axis=0)[:, None]
  if labels.ndim == 1:
    targets, bound = jax.nn.one_hot(labels, num_classes), 1 / 2

    def residual(logits):
      return jax.nn.softmax(logits) - targets
  else:
    chex.assert_shape(labels, (None, num_classes))
    known, bound = labels >= 0, 1 / 4

    def residual(logits):
      return jnp.where(known, jax.nn.sigmoid(logits) - labels, 0.0)

  # Of no constant: XLA would fold it for seconds, and say so.
  start = residual(0.0 * jnp.repeat(features[:, :1], num_classes, axis=1))
  start_norm = jnp.linalg.norm(_product(start.T, features))
  return _Problem(
    features=features,
    residual=residual,
    curvature=bound * squares,
    penalised=jnp.ones_like(squares).at[-1].set(0.0),
    # It can be 0, then there is nothing to learn.
    start_norm=jnp.maximum(start_norm, 1e-30),
  )


def _solve(problem, strength, newest, limits):
  """L-BFGS from the newest of two solutions, first along their difference."""
  weights, previous = newest
  penalty = strength * problem.penalised
  # For weights times this, the Hessian's bound is the identity.
  root = jnp.sqrt(problem.curvature + penalty)
  lbfgs = optax.scale_by_lbfgs(_MEMORY)

  def gradient(weights, logits):
    # Three times as fast on a CPU as features.T times residual.
    product = _product(problem.residual(logits).T, problem.features).T
    return product + penalty * weights

  def unfinished(search):
    norm = jnp.linalg.norm(search.gradient) / problem.start_norm
    return (norm > limits.tolerance) & (search.count < limits.max_steps)

  def advance(search):
    direction, memory = lbfgs.update(
      search.gradient / root, search.memory, search.weights * root
    )
    onwards = (search.count == 0) & jnp.any(weights != previous)
    direction = jnp.where(onwards, weights - previous, -direction / root)
    change = _product(problem.features, direction)
    bound = jnp.sum(jnp.square(root * direction))
    length = _length(problem, penalty, search, (direction, change, bound))
    moved = search.weights + length * direction
    logits = search.logits + length * change
    slopes = gradient(moved, logits)
    return _Search(moved, logits, slopes, memory, search.count + 1)

  logits, memory = _product(problem.features, weights), lbfgs.init(weights)
  start = _Search(weights, logits, gradient(weights, logits), memory, 0)
  return jax.lax.while_loop(unfinished, advance, start)


def _length(problem, penalty, search, step):
  """Finds about the best length, by Newton's method inside a bracket."""
  direction, change, bound = step

  def slope(length):
    residual = problem.residual(search.logits + length * change)
    shrinking = penalty * (search.weights + length * direction)
    return jnp.sum(residual * change) + jnp.sum(shrinking * direction)

  def measure(length):
    return jax.jvp(slope, (length,), (jnp.ones_like(length),))

  begin, bend = measure(jnp.zeros(()))
  # So far the slope cannot change its sign, as `bound` is above every bend.
  certain = jnp.abs(begin) / bound

  def unfinished(trial):
    share = jnp.abs(trial.slope / begin)
    return (share > _SLOPE_SHARE) & (trial.count < _MAX_TRIALS)

  def refine(trial):
    low = jnp.where(trial.slope < 0.0, trial.length, trial.low)
    high = jnp.where(trial.slope > 0.0, trial.length, trial.high)
    furthest = _GROWTH * jnp.maximum(jnp.abs(trial.length), certain)
    guess = trial.length - trial.slope / trial.bend
    guess = jnp.where((low < guess) & (guess < high), guess, (low + high) / 2)
    length = jnp.clip(guess, -furthest, furthest)
    return _Trial(length, *measure(length), low, high, trial.count + 1)

  start = _Trial(0.0, begin, bend, -jnp.inf, jnp.inf, 0)
  return jax.lax.while_loop(unfinished, refine, start).length


def _product(left, right):
  # Accelerators multiply in bfloat16 unless told otherwise.
  return jnp.matmul(left, right, precision=jax.lax.Precision.HIGHEST)
