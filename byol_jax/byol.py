"""The algorithm (paper, "Description of BYOL"), pure: state, loss, update."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from byol_jax import metrics, objectives
from byol_jax.networks import network
from byol_jax.parallel import AXIS
from byol_jax.types import Batch, Metrics, Variables


class State(NamedTuple):
  """All that a run carries from step to step.

  Attributes:
    step: int32 scalar, number of updates made.
    online: theta, and the averages of its batch norms.
    target: xi, and the averages of its own batch norms. It has the online
      network's names; predictor and classifier are averaged along but unused.
    opt_state: optax state of `online.params`.
  """

  step: chex.Array
  online: Variables
  target: Variables
  opt_state: optax.OptState


Update = Callable[[State, Batch, chex.PRNGKey], tuple[State, Metrics]]


class Schedules(NamedTuple):
  """Numbers that follow the step.

  Attributes:
    learning_rate: as given to the optimizer; here it is only reported.
    target_decay: tau, the share of the old target that a step keeps.
  """

  learning_rate: optax.Schedule
  target_decay: optax.Schedule


def init_state(
  net: network.Network,
  optimizer: optax.GradientTransformation,
  key: chex.PRNGKey,
  images: chex.Array,
) -> State:
  """Draws online and target network, independently as in the released code.

  Args:
    net: the network, whose axis must be bound here.
    optimizer: of the online parameters.
    key: the same on all devices.
    images: [batch, height, width, 3] in [0, 1], a first batch: until the first
      update the batch norms' averages are its statistics, which makes the
      untrained network usable.

  Returns:
    The state at step 0.
  """
  online_key, target_key = jax.random.split(key)
  online = net.init(online_key, images)
  return State(
    step=jnp.zeros([], jnp.int32),
    online=online,
    target=net.init(target_key, images),
    opt_state=optimizer.init(online.params),
  )


def make_update(
  net: network.Network,
  optimizer: optax.GradientTransformation,
  schedules: Schedules,
  num_micro_batches: int = 1,
) -> Update:
  """Builds one training step, a pure function for every device.

  Args:
    net: online and target network.
    optimizer: of the online parameters.
    schedules: learning rate and target decay.
    num_micro_batches: gradients are averaged over so many parts of the batch,
      one after the other, before the one optimizer and target step; batch
      statistics see one part only (paper, "Batch size").

  Returns:
    update(state, batch, key) to (state, metrics), to be run under `parallel`.
    The batch has `view1` and `view2`, [batch, height, width, 3] float32 in
    [0, 1], and may have `labels`, [batch] int32. The key is not used: all of
    BYOL's randomness is in the views.
  """
  grad_fn = jax.grad(_make_loss_fn(net), has_aux=True)

  def update(state, batch, key):
    del key
    grads, (stats, logs) = _accumulate(grad_fn, state, batch, num_micro_batches)
    grads, logs = jax.lax.pmean((grads, logs), AXIS)
    updates, opt_state = optimizer.update(
      grads, state.opt_state, state.online.params
    )
    params = optax.apply_updates(state.online.params, updates)
    decay = schedules.target_decay(state.step)
    new_state = State(
      step=state.step + 1,
      online=Variables(params, stats.online),
      target=Variables(
        moving_average(state.target.params, params, decay), stats.target
      ),
      opt_state=opt_state,
    )
    rate = schedules.learning_rate(state.step)
    return new_state, {**logs, "learning_rate": rate, "target_decay": decay}

  return update


def moving_average(
  old: chex.ArrayTree, new: chex.ArrayTree, decay: chex.Numeric
) -> chex.ArrayTree:
  """`decay * old + (1 - decay) * new`, leaf by leaf."""
  return jax.tree.map(lambda x, y: x + (1.0 - decay) * (y - x), old, new)


class _Stats(NamedTuple):
  """Batch-norm averages of both networks."""

  online: chex.ArrayTree
  target: chex.ArrayTree


def _make_loss_fn(net: network.Network) -> Callable:
  """The loss of online parameters, with new averages and logs beside it."""

  def both_views(params, stats, batch):
    # One call per view: batch statistics are a view's own.
    out1, stats = net.apply(Variables(params, stats), batch["view1"], True)
    out2, stats = net.apply(Variables(params, stats), batch["view2"], True)
    return out1, out2, stats

  def loss_fn(params, stats, target_params, batch):
    online1, online2, online_stats = both_views(params, stats.online, batch)
    target1, target2, target_stats = both_views(
      target_params, stats.target, batch
    )
    loss = jnp.mean(
      objectives.regression_loss(online1.prediction, target2.projection)
      + objectives.regression_loss(online2.prediction, target1.projection)
    )
    logs = metrics.collapse_statistics(
      objectives.unit(online1.projection),
      objectives.unit(online2.projection),
      AXIS,
    )
    logs["regression_loss"] = loss
    if "labels" in batch:
      scores = _classify(online1.logits, batch["labels"])
      loss = loss + scores["classification_loss"]
      logs.update(scores)
    return loss, (_Stats(online_stats, target_stats), {**logs, "loss": loss})

  return loss_fn


def _classify(logits: chex.Array, labels: chex.Array) -> Metrics:
  """Loss and training accuracies of the online classifier."""
  return {
    "classification_loss": jnp.mean(
      objectives.classification_loss(logits, labels)
    ),
    "train_top1": jnp.mean(metrics.in_top_k(logits, labels, 1)),
    "train_top5": jnp.mean(metrics.in_top_k(logits, labels, 5)),
  }


def _accumulate(grad_fn, state, batch, num_micro_batches):
  """Gradients, averages and logs, over one or many parts of the batch."""
  params, stats = (
    state.online.params,
    _Stats(state.online.stats, state.target.stats),
  )
  if num_micro_batches == 1:
    return grad_fn(params, stats, state.target.params, batch)
  parts = jax.tree.map(
    lambda x: x.reshape(num_micro_batches, -1, *x.shape[1:]), dict(batch)
  )

  def one_part(carry, part):
    stats, total = carry
    grads, (stats, logs) = grad_fn(params, stats, state.target.params, part)
    return (stats, jax.tree.map(jnp.add, total, grads)), logs

  zeros = jax.tree.map(jnp.zeros_like, params)
  (stats, total), logs = jax.lax.scan(one_part, (stats, zeros), parts)
  grads = jax.tree.map(lambda x: x / num_micro_batches, total)
  return grads, (stats, jax.tree.map(jnp.mean, logs))
