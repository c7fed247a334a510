"""LARS as the authors apply it, and which parameters it leaves alone."""

from collections.abc import Callable, Mapping

import chex
import jax
import jax.numpy as jnp
import optax

# From sums over a device's parts of the weights to those over whole weights.
Total = Callable[[chex.ArrayTree], chex.ArrayTree]

_EXCLUDED = frozenset({"b", "scale", "offset"})


def decayed(params: chex.ArrayTree) -> chex.ArrayTree:
  """Marks the weights; biases and the scales and offsets of norms are not.

  Args:
    params: Haiku's two-level dict.

  Returns:
    The same tree of booleans, True where weight decay and the LARS ratio apply
    (paper, "Optimization"; the rest trains at the plain learning rate).
  """
  return {
    module: {name: name not in _EXCLUDED for name in leaves}
    for module, leaves in params.items()
  }


def lars(
  learning_rate: optax.Schedule,
  weight_decay: float,
  momentum: float,
  trust_coefficient: float,
  clip_trust: bool = False,
  total: Total = lambda sums: sums,
) -> optax.GradientTransformation:
  """Layer-wise adaptive rate scaling (arXiv 1708.03888), in the authors' order.

  The gradient takes weight decay, then the trust ratio, then enters the
  momentum; the rate multiplies last. `optax.lars` puts the rate into the
  momentum, which differs as soon as the rate changes.

  Args:
    learning_rate: schedule of the step.
    weight_decay: multiplies the weights and is added to their gradient.
    momentum: decay of the accumulated update, 0.9 in the paper.
    trust_coefficient: 1e-3 in the paper.
    clip_trust: never scale a weight's update up past the plain learning rate
      (the "LARC clip" of solo-learn's CIFAR recipe; off in the paper).
    total: where a device has but parts of the weights.

  Returns:
    An optax transformation whose state holds one momentum tree and the step.
  """
  ratio = _trust_ratio(trust_coefficient, total)
  if clip_trust:
    ratio = _clipped_trust_ratio(trust_coefficient, total, learning_rate)
  return optax.chain(
    optax.add_decayed_weights(weight_decay, mask=decayed),
    optax.masked(ratio, decayed),
    optax.trace(decay=momentum),
    optax.scale_by_learning_rate(learning_rate),
  )


def sgd(
  learning_rate: optax.Schedule, weight_decay: float, momentum: float
) -> optax.GradientTransformation:
  """Momentum SGD with coupled weight decay on every parameter (PyTorch's)."""
  return optax.chain(
    optax.add_decayed_weights(weight_decay),
    optax.trace(decay=momentum),
    optax.scale_by_learning_rate(learning_rate),
  )


def sgd_sweep(
  schedule: optax.Schedule,
  rates: chex.ArrayTree,
  weight_decays: chex.ArrayTree,
  momentum: float,
) -> optax.GradientTransformation:
  """Nesterov SGD whose rate and weight decay may differ between parameters.

  What classifiers are trained with (paper, "Linear evaluation on ImageNet",
  "Semi-supervised training on ImageNet"); several rates train side by side.

  Args:
    schedule: of the step, common to all; multiplies the rates.
    rates: a tree as the parameters', of numbers that broadcast against them
      with equally many axes.
    weight_decays: likewise; times the parameters, added to their gradient.
    momentum: of Nesterov's kind.

  Returns:
    An optax transformation whose state holds one momentum tree and the step.
  """

  def add_decay(grads, params):
    return jax.tree.map(
      lambda g, x, decay: g + decay * x, grads, params, weight_decays
    )

  def scale(updates, params):
    del params
    return jax.tree.map(lambda u, rate: -rate * u, updates, rates)

  return optax.chain(
    optax.stateless(add_decay),
    optax.trace(decay=momentum, nesterov=True),
    optax.scale_by_schedule(schedule),
    optax.stateless(scale),
  )


def adamw(
  learning_rate: optax.Schedule, weight_decay: float
) -> optax.GradientTransformation:
  """AdamW that spares biases and norms from weight decay."""
  return optax.adamw(learning_rate, weight_decay=weight_decay, mask=decayed)


def with_multipliers(
  optimizer: optax.GradientTransformation, multipliers: Mapping[str, float]
) -> optax.GradientTransformation:
  """Multiplies the learning rate of some modules.

  Source: paper, "Near-optimal predictor" (Tables 21 and 22).

  Args:
    optimizer: whose updates are multiplied.
    multipliers: by the first part of the module's name, such as "predictor"; 0
      keeps the module as it was drawn.

  Returns:
    An optax transformation; with nothing but ones `optimizer` itself.
  """
  if all(factor == 1.0 for factor in multipliers.values()):
    return optimizer

  def update(grads, state, params=None):
    updates, state = optimizer.update(grads, state, params)
    factors = {
      module: multipliers.get(module.split("/")[0], 1.0) for module in updates
    }
    return {
      module: {name: factors[module] * x for name, x in leaves.items()}
      for module, leaves in updates.items()
    }, state

  # The state stays as it is: a run may go on with other multipliers.
  return optax.GradientTransformation(optimizer.init, update)


def _trust_ratio(
  trust_coefficient: float, total: Total
) -> optax.GradientTransformation:
  """As `optax.scale_by_trust_ratio`, which takes each norm twice.

  Its second pass over all weights and gradients is 4 % of a ResNet-50's step on
  a TPU core, where no more than eight images pay for it.
  """

  def update(updates, params):
    return _scaled(updates, params, trust_coefficient, total)

  return optax.stateless(update)


def _clipped_trust_ratio(
  trust_coefficient: float, total: Total, learning_rate: optax.Schedule
) -> optax.GradientTransformation:
  """The trust ratio, at most the learning rate, over the learning rate."""

  def init(params):
    del params
    return optax.ScaleByScheduleState(count=jnp.zeros([], jnp.int32))

  def update(updates, state, params):
    rate = jnp.maximum(learning_rate(state.count), 1e-12)

    def clip(ratio):
      return jnp.minimum(ratio / rate, 1.0)

    scaled = _scaled(updates, params, trust_coefficient, total, clip)
    return scaled, optax.ScaleByScheduleState(count=state.count + 1)

  return optax.GradientTransformation(init, update)


def _scaled(updates, params, trust_coefficient, total, limit=lambda x: x):
  """Updates times their trust ratio; those that have none as they are."""
  squares = jax.tree.map(lambda x: jnp.sum(jnp.square(x)), (updates, params))

  def scale(update, *squares):
    norm, size = map(jnp.sqrt, squares)
    usable = (norm > 0.0) & (size > 0.0)
    ratio = trust_coefficient * size / jnp.where(usable, norm, 1.0)
    return update * jnp.where(usable, limit(ratio), 1.0)

  # What is counted more than once is so in both sums, and cancels out.
  return jax.tree.map(scale, updates, *total(squares))
