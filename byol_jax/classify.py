"""Supervised training of an encoder or on top of one, pure: state and update.

Linear evaluation, fine-tuning and supervised training are one program: the
encoder is frozen or not, and one or many linear classifiers (heads), which
differ in their learning rate, train side by side on the same pictures.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from byol_jax import metrics
from byol_jax.networks import network
from byol_jax.parallel import AXIS
from byol_jax.types import Batch, Metrics, Variables


class State(NamedTuple):
  """All that a run carries from step to step.

  Attributes:
    step: int32 scalar, number of updates made.
    encoder: weights and batch-norm averages; () where the batches are features.
    heads: `w` [heads, dim, classes] and `b` [heads, classes].
    opt_state: optax state of what is trained.
  """

  step: chex.Array
  encoder: Variables | tuple[()]
  heads: dict[str, chex.Array]
  opt_state: optax.OptState


Update = Callable[[State, Batch], tuple[State, Metrics]]
Logits = Callable[[State, Batch], chex.Array]


class Objective(NamedTuple):
  """What the classifiers minimise.

  Attributes:
    multi_label: labels are [batch, classes] of 1, 0 and -1 (left out), each
      class its own yes or no; otherwise [batch] int32.
    label_smoothing: share of each label spread evenly over the classes.
    logit_clip: alpha, logits become alpha tanh(logits / alpha); 0 for none.
    logit_penalty: times the mean squared logit, added to the loss (paper,
      "Linear evaluation", regularised variant).
  """

  multi_label: bool
  label_smoothing: float
  logit_clip: float
  logit_penalty: float


def init_heads(
  key: chex.PRNGKey, dim: int, num_classes: int, num_heads: int
) -> dict[str, chex.Array]:
  """Equal linear classifiers, drawn as Haiku draws a linear layer's weights.

  Args:
    key: of the weights.
    dim: of the representation.
    num_classes: outputs of each.
    num_heads: how many.

  Returns:
    `w` [heads, dim, classes] and `b` [heads, classes].
  """
  w = jax.random.truncated_normal(key, -2.0, 2.0, (dim, num_classes))
  w = w / jnp.sqrt(dim)
  return {
    "w": jnp.broadcast_to(w, (num_heads, dim, num_classes)),
    "b": jnp.zeros((num_heads, num_classes)),
  }


def trained(state: State, frozen: bool) -> chex.ArrayTree:
  """The parameters that the optimizer sees: the heads, and the encoder's."""
  if frozen:
    return {"heads": state.heads}
  return {"heads": state.heads, "encoder": state.encoder.params}


def make_logits(net: network.Network | None, objective: Objective) -> Logits:
  """Builds the classifiers in inference mode.

  Args:
    net: the encoder; None where the batches hold `features`.
    objective: whose logit clipping applies here, too.

  Returns:
    (state, batch) to logits [batch, heads, classes]; the batch has `images`,
    float32 in [0, 1], or `features` [batch, dim].
  """

  def logits(state, batch):
    features, _ = _features(net, state.encoder, batch, "images", False)
    return _classify(state.heads, features, objective)

  return logits


def make_update(
  net: network.Network | None,
  optimizer: optax.GradientTransformation,
  objective: Objective,
  frozen: bool,
) -> Update:
  """Builds one training step, a pure function for every device.

  Args:
    net: the encoder; None where the batches hold `features`.
    optimizer: of what `trained` returns.
    objective: of the classifiers.
    frozen: leave the encoder as it is, in inference mode.

  Returns:
    update(state, batch) to (state, metrics), to be run under `parallel`. The
    batch has `view1`, [batch, height, width, 3] float32 in [0, 1], or
    `features`, and `labels`. Of several heads, one that is about to leave the
    finite numbers stays as it is, and the others go on; `loss` is the lowest,
    `loss_h` that of head h.
  """

  def loss_fn(params, state, batch):
    encoder = state.encoder
    if not frozen:
      encoder = encoder._replace(params=params["encoder"])
    features, stats = _features(net, encoder, batch, "view1", not frozen)
    logits = _classify(params["heads"], features, objective)
    losses = _losses(logits, batch["labels"], objective)
    return jnp.sum(losses), (losses, logits, stats)

  def update(state, batch):
    params = trained(state, frozen)
    grads, (losses, logits, stats) = jax.grad(loss_fn, has_aux=True)(
      params, state, batch
    )
    logs = {"losses": losses, **_accuracy(logits, batch["labels"], objective)}
    grads, logs = jax.lax.pmean((grads, logs), AXIS)
    if len(losses) > 1:
      grads = {**grads, "heads": _finite_or(grads["heads"], 0.0)}
    updates, opt_state = optimizer.update(grads, state.opt_state, params)
    params = optax.apply_updates(params, updates)
    if len(losses) > 1:
      params["heads"] = _finite_or(params["heads"], state.heads)
    encoder = state.encoder
    if not frozen:
      encoder = Variables(params["encoder"], stats)
    new_state = State(state.step + 1, encoder, params["heads"], opt_state)
    return new_state, _named(logs)

  return update


def _features(net, encoder, batch, name, is_training):
  """Representations [batch, dim] and the encoder's new averages."""
  if net is None:
    return batch["features"], ()
  outputs, stats = net.apply(encoder, batch[name], is_training)
  return outputs.representation, stats


def _classify(heads, features, objective):
  logits = jnp.einsum("nd,hdc->nhc", features, heads["w"]) + heads["b"][None]
  if objective.logit_clip:
    clip = objective.logit_clip
    logits = clip * jnp.tanh(logits / clip)
  return logits


def _losses(logits, labels, objective):
  """[heads] mean loss of each head."""
  smoothing, classes = objective.label_smoothing, logits.shape[-1]
  if objective.multi_label:
    entropies = optax.sigmoid_binary_cross_entropy(
      logits, jnp.maximum(labels, 0).astype(jnp.float32)[:, None]
    )
    losses = jnp.sum(entropies * (labels >= 0)[:, None], axis=-1)
  else:
    one_hot = jax.nn.one_hot(labels, classes)
    wanted = (1.0 - smoothing) * one_hot + smoothing / classes
    losses = -jnp.sum(wanted[:, None] * jax.nn.log_softmax(logits), axis=-1)
  penalty = objective.logit_penalty * jnp.mean(jnp.square(logits), axis=-1)
  return jnp.mean(losses + penalty, axis=0)


def _accuracy(logits, labels, objective):
  """`train_top1` of each head, [heads]; nothing where labels are many."""
  if objective.multi_label:
    return {}
  right = jax.vmap(metrics.in_top_k, in_axes=(1, None, None))(logits, labels, 1)
  return {"train_top1": jnp.mean(right, axis=-1)}


def _finite_or(heads, others):
  """Each head as it is, if all of it is finite; else the other one."""

  def is_finite(x):
    return jnp.all(jnp.isfinite(x.reshape(len(x), -1)), axis=1)

  fine = jnp.all(jnp.stack([is_finite(x) for x in heads.values()]), axis=0)
  if not isinstance(others, dict):
    others = {name: jnp.full_like(x, others) for name, x in heads.items()}
  return {
    name: jnp.where(fine.reshape(-1, *(1,) * (x.ndim - 1)), x, others[name])
    for name, x in heads.items()
  }


def _named(logs: Metrics) -> Metrics:
  """Scalars: of the best head, and of each head if there are several."""
  losses = logs["losses"]
  named = {"loss": jnp.nanmin(losses)}
  if "train_top1" in logs:
    named["train_top1"] = jnp.max(logs["train_top1"])
  if len(losses) > 1:
    named |= {f"loss_{h}": losses[h] for h in range(len(losses))}
  return named
