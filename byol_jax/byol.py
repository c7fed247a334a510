"""The algorithm (paper, "Description of BYOL"), pure: state and update."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from byol_jax import loss, objectives, sharding
from byol_jax.augment import views
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
      Empty where the online network is its own target.
    opt_state: optax state of `online.params`.
    queue: [queue_size, dim] earlier target projections of length 1; () without.
    skipped: int32 scalar, steps left out since they were not finite; () where
      none may be.
  """

  step: chex.Array
  online: Variables
  target: Variables
  opt_state: optax.OptState
  queue: chex.Array | tuple[()] = ()
  skipped: chex.Array | tuple[()] = ()


Update = Callable[[State, Batch, chex.PRNGKey], tuple[State, Metrics]]


class Schedules(NamedTuple):
  """Numbers that follow the step.

  Attributes:
    learning_rate: as given to the optimizer; here it is only reported.
    target_decay: tau, the share of the old target that a step keeps.
  """

  learning_rate: optax.Schedule
  target_decay: optax.Schedule


def _as_they_are(batch: Batch, key: chex.PRNGKey) -> Batch:
  """For batches that are views already."""
  del key
  return batch


def init_state(
  net: network.Network,
  optimizer: optax.GradientTransformation,
  key: chex.PRNGKey,
  images: chex.Array,
  settings: loss.Settings = loss.BYOL,
) -> State:
  """Draws online and target network, independently as in the released code.

  Args:
    net: the network, whose axis must be bound here.
    optimizer: of the online parameters.
    key: the same on all devices.
    images: [batch, height, width, 3] in [0, 1], a first batch: until the first
      update the batch norms' averages are its statistics, which makes the
      untrained network usable; "affine" norms keep them for good.
    settings: of the algorithm.

  Returns:
    The state at step 0.
  """
  online_key, target_key = jax.random.split(key)
  online = net.init(online_key, images)
  target = Variables(params={}, stats={})
  if settings.has_target:
    target = net.init(online_key if settings.copied else target_key, images)
  queue = ()
  if settings.objective.has_queue:
    outputs, _ = jax.eval_shape(lambda: net.apply(online, images, True))
    shape = (settings.objective.queue_size, outputs.projection.shape[-1])
    # Directions at random until there are projections (MoCo); folded in, so
    # that the networks are drawn as they are without a queue.
    queue_key = jax.random.fold_in(key, 2)
    queue = objectives.unit(jax.random.normal(queue_key, shape))
  return State(
    step=jnp.zeros([], jnp.int32),
    online=online,
    target=target,
    opt_state=optimizer.init(online.params),
    queue=queue,
    skipped=jnp.zeros([], jnp.int32) if settings.skips else (),
  )


def make_update(
  net: network.Network,
  optimizer: optax.GradientTransformation,
  schedules: Schedules,
  settings: loss.Settings = loss.BYOL,
  make_views: Callable[[Batch, chex.PRNGKey], Batch] = _as_they_are,
  shards: sharding.Sharding = sharding.NONE,
) -> Update:
  """Builds one training step, a pure function for every device.

  Args:
    net: online and target network.
    optimizer: of the online parameters.
    schedules: learning rate and target decay.
    settings: of the algorithm.
    make_views: a batch and the step's key to the views; each part of a batch
      gets its own just before it is used, so that memory holds one part's.
    shards: whose part of a state the update is given and returns.

  Returns:
    update(state, batch, key) to (state, metrics), to be run under `parallel`.
    The views are `view1` and `view2`, [batch, height, width, 3] float32 in
    [0, 1], perhaps with `labels`, [batch] int32. All randomness is in them.
  """
  grad_fn = jax.grad(loss.make_loss_fn(net, settings), has_aux=True)

  def update(state, batch, key):
    whole = shards.with_weights(state)
    grads, (stats, keys, logs) = _accumulate(
      lambda params, stats, part: grad_fn(
        params,
        stats,
        (whole.target.params, state.queue),
        make_views(part, key),
      ),
      whole,
      batch,
      settings,
    )
    grads, logs = jax.lax.pmean((grads, logs), AXIS)
    updates, opt_state = optimizer.update(
      shards.cut(grads), state.opt_state, state.online.params
    )
    params = optax.apply_updates(state.online.params, updates)
    decay = schedules.target_decay(state.step)
    target = state.target.params
    if settings.target == "moving_average":
      target = moving_average(target, params, decay)
    new_state = State(
      step=state.step + 1,
      online=Variables(params, stats.online),
      target=Variables(target, stats.target),
      opt_state=opt_state,
      queue=_enqueue(state.queue, keys, state.step),
      skipped=state.skipped,
    )
    if settings.skips:
      new_state = _unless_bad(new_state, state, (grads, logs["loss"]))
      logs = {**logs, "skipped_steps": new_state.skipped}
    rate = schedules.learning_rate(state.step)
    return new_state, {**logs, "learning_rate": rate, "target_decay": decay}

  return update


def moving_average(
  old: chex.ArrayTree, new: chex.ArrayTree, decay: chex.Numeric
) -> chex.ArrayTree:
  """`decay * old + (1 - decay) * new`, leaf by leaf."""
  return jax.tree.map(lambda x, y: x + (1.0 - decay) * (y - x), old, new)


def _unless_bad(new: State, old: State, signs: chex.ArrayTree) -> State:
  """The new state, or the old one a step later if a sign is not finite.

  The signs are the same on all devices, and so is the choice.
  """
  finite = [jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(signs)]
  good = jnp.all(jnp.stack(finite))
  chosen = jax.tree.map(lambda x, y: jnp.where(good, x, y), new, old)
  return chosen._replace(
    step=new.step, skipped=old.skipped + jnp.where(good, 0, 1)
  )


def _accumulate(grad_fn, state, batch, settings):
  """Gradients, averages, keys and logs, over one or many parts of the batch."""
  params = state.online.params
  stats = loss.Stats(state.online.stats, state.target.stats)
  count = settings.num_micro_batches
  if count == 1:
    return grad_fn(params, stats, batch)
  parts, shared = views.split(batch, count)

  def one_part(carry, part):
    stats, total = carry
    grads, (stats, keys, logs) = grad_fn(params, stats, {**part, **shared})
    return (stats, jax.tree.map(jnp.add, total, grads)), (keys, logs)

  zeros = jax.tree.map(jnp.zeros_like, params)
  (stats, total), (keys, logs) = jax.lax.scan(
    one_part, (stats, zeros), parts, unroll=settings.unrolled
  )
  grads = jax.tree.map(lambda x: x / count, total)
  keys = jax.tree.map(lambda x: x.reshape(-1, x.shape[-1]), keys)
  return grads, (stats, keys, jax.tree.map(jnp.mean, logs))


def _enqueue(queue, keys, step):
  """Overwrites the oldest projections by this step's, of all devices."""
  if not keys:
    return queue
  new = jax.lax.all_gather(jnp.concatenate(keys), AXIS, tiled=True)
  # Not step * rows % size, which a long run takes past an int32.
  start = step % (len(queue) // len(new)) * len(new)
  return jax.lax.dynamic_update_slice_in_dim(queue, new, start, axis=0)
