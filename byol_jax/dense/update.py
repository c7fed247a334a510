"""One training step of a dense task, pure."""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import optax

from byol_jax.dense import task as tasks
from byol_jax.networks import dense, network
from byol_jax.parallel import AXIS
from byol_jax.types import Batch, Metrics, Variables

FROZEN = ("none", "trunk", "encoder")


class State(NamedTuple):
  """All that a run carries from step to step.

  Attributes:
    step: int32 scalar, number of updates made.
    encoder: weights and batch-norm averages of the encoder.
    head: of all that follows it.
    opt_state: optax state of what is trained.
  """

  step: chex.Array
  encoder: Variables
  head: Variables
  opt_state: optax.OptState


class Training(NamedTuple):
  """What is trained, and how its norms behave.

  Attributes:
    spec: shape of the encoder.
    frozen: one of `FROZEN`: what keeps its weights; "trunk" is the encoder
      without its last group.
    batch_statistics: whether the encoder's norms, where it is trained, take the
      batch's statistics; else their averages, which then stay as they are.
  """

  spec: network.EncoderSpec
  frozen: str
  batch_statistics: bool


Update = Callable[[State, Batch, chex.PRNGKey], tuple[State, Metrics]]


def variables(state: State) -> Variables:
  """The whole network of a state."""
  return Variables(
    params={**state.encoder.params, **state.head.params},
    stats={**state.encoder.stats, **state.head.stats},
  )


def split(
  whole: Variables, spec: network.EncoderSpec
) -> tuple[Variables, Variables]:
  """Parts a network into encoder and head.

  Args:
    whole: of a dense task.
    spec: shape of the encoder.
  """

  def part(wanted):
    return Variables(
      *(
        {k: v for k, v in tree.items() if dense.is_encoder(k, spec) == wanted}
        for tree in whole
      )
    )

  return part(True), part(False)


def trained(state: State, training: Training) -> chex.ArrayTree:
  """The parameters that the optimizer sees."""
  return {
    module: leaves
    for module, leaves in variables(state).params.items()
    if not _is_frozen(module, training)
  }


def modes(training: Training) -> dense.Modes:
  """How the norms behave while training."""
  return dense.Modes(
    trunk=training.batch_statistics and training.frozen == "none",
    last_group=training.batch_statistics and training.frozen != "encoder",
    head=True,
  )


def make_update(
  loss: tasks.Loss,
  optimizer: optax.GradientTransformation,
  training: Training,
) -> Update:
  """Builds one training step, a pure function for every device.

  Args:
    loss: of the task.
    optimizer: of what `trained` returns.
    training: what is trained.

  Returns:
    update(state, batch, key) to (state, metrics), to be run under `parallel`.
  """

  def loss_fn(params, whole, batch, key):
    chosen = whole._replace(params={**whole.params, **params})
    return loss(chosen, batch, key, modes(training))

  def update(state, batch, key):
    params, whole = trained(state, training), variables(state)
    (value, (stats, logs)), grads = jax.value_and_grad(loss_fn, has_aux=True)(
      params, whole, batch, key
    )
    grads, logs = jax.lax.pmean((grads, {"loss": value, **logs}), AXIS)
    updates, opt_state = optimizer.update(grads, state.opt_state, params)
    params = optax.apply_updates(params, updates)
    encoder, head = split(
      Variables({**whole.params, **params}, stats), training.spec
    )
    return State(state.step + 1, encoder, head, opt_state), logs

  return update


def _is_frozen(module: str, training: Training) -> bool:
  if training.frozen == "none" or not dense.is_encoder(module, training.spec):
    return False
  last = dense.is_last_group(module, training.spec)
  return training.frozen == "encoder" or not last
