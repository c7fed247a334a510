"""The loss of two views, pure: who sees which view, and who predicts whom."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from byol_jax import metrics, objectives
from byol_jax.networks import network
from byol_jax.parallel import AXIS
from byol_jax.types import Batch, Metrics, Variables

_BOTH = ("view1", "view2")


class Settings(NamedTuple):
  """Which member of the family; the defaults are BYOL's.

  Attributes:
    objective: the loss.
    predictor: "mlp", "none" or "least_squares", as the network has it.
    target: "moving_average" of the online network, or "fixed", a network as it
      was drawn; without a second network "stop_gradient" of the online one, or
      "online", through which the gradient flows.
    copied: the target starts as a copy of the online network, not drawn by
      itself.
    num_micro_batches: gradients are averaged over so many parts of the batch,
      one after the other, before the one optimizer and target step; batch
      statistics and negatives see one part only (paper, "Batch size").
    unrolled: write the parts out one by one instead of a loop: longer to
      compile, and much faster on a CPU, whose loops compute slowly.
    skips: a step whose loss or gradients are not finite changes nothing but
      the count of steps.
  """

  objective: objectives.Objective = objectives.Objective()
  predictor: str = "mlp"
  target: str = "moving_average"
  copied: bool = False
  num_micro_batches: int = 1
  unrolled: bool = False
  skips: bool = False

  @property
  def has_target(self) -> bool:
    """Whether there is a second network."""
    return self.target in ("moving_average", "fixed")

  @property
  def name(self) -> str:
    """Of the method, for reports."""
    others = self.objective.negatives if self.objective.negative_weight else ""
    known = {
      ("", "mlp", "moving_average"): "BYOL",
      ("", "none", "moving_average"): "Mean Teacher",
      ("batch", "none", "online"): "SimCLR",
      ("queue", "none", "moving_average"): "MoCo",
    }
    return known.get((others, self.predictor, self.target), "trained")


BYOL = Settings()


class Stats(NamedTuple):
  """Batch-norm averages of both networks."""

  online: chex.ArrayTree
  target: chex.ArrayTree


def make_loss_fn(net: network.Network, settings: Settings) -> Callable:
  """Builds the loss of the online parameters.

  Args:
    net: online and target network.
    settings: of the algorithm.

  Returns:
    loss(params, stats, (target_params, queue), batch) to a scalar and, beside
    it, new `Stats`, the keys that a queue takes in ([batch, dim] arrays, none
    without a queue) and logs. The axis of `parallel` must be bound.
  """
  objective = settings.objective
  directions = ((0, 1), (1, 0)) if objective.symmetric else ((0, 1),)
  online_views, target_views = _needed_views(settings)

  def loss_fn(params, stats, others, batch):
    target_params, queue = others
    online, online_stats = _see(
      net, Variables(params, stats.online), batch, online_views
    )
    seen, target_stats = online, stats.target
    if settings.has_target:
      seen, target_stats = _see(
        net, Variables(target_params, stats.target), batch, target_views
      )
    targets = {view: outputs.projection for view, outputs in seen.items()}
    if settings.target != "online":
      targets = jax.lax.stop_gradient(targets)
    parts = [
      _direction(online, targets, queue, (_BOTH[own], _BOTH[other]), settings)
      for own, other in directions
    ]
    logs = {name: jnp.mean(sum(x[name] for x in parts)) for name in parts[0]}
    loss = logs["regression_loss"]
    if objective.negative_weight:
      loss = loss + objective.negative_weight * logs["negative_loss"]
    loss = objective.scale * loss
    logs.update(_collapse(online, targets))
    if "labels" in batch:
      scores = _classify(online["view1"].logits, batch["labels"])
      loss = loss + scores["classification_loss"]
      logs.update(scores)
    keys = [objectives.unit(targets[_BOTH[other]]) for _, other in directions]
    return loss, (
      Stats(online_stats, target_stats),
      keys if objective.has_queue else [],
      {**logs, "loss": loss},
    )

  return loss_fn


def _needed_views(settings: Settings) -> tuple[tuple[str, ...], ...]:
  """Which views the online and the target network have to see."""
  objective = settings.objective
  if objective.symmetric:
    return _BOTH, _BOTH
  in_batch = objective.negative_weight and not objective.has_queue
  return (
    _BOTH[:1] if settings.has_target else _BOTH,
    _BOTH if in_batch else _BOTH[1:],
  )


def _see(
  net: network.Network,
  variables: Variables,
  batch: Batch,
  views: tuple[str, ...],
) -> tuple[dict[str, network.Outputs], chex.ArrayTree]:
  """Outputs of each view, and the averages after the last."""
  images = jnp.stack([batch[view] for view in views])
  outputs, stats = net.apply(variables, images, True)
  return {
    view: jax.tree.map(lambda x, place=place: x[place], outputs)
    for place, view in enumerate(views)
  }, stats


def _direction(
  online: Mapping[str, network.Outputs],
  targets: Mapping[str, chex.Array],
  queue: chex.Array,
  views: tuple[str, str],
  settings: Settings,
) -> Metrics:
  """The parts of the loss of each picture where a view predicts the other."""
  (own, other), objective = views, settings.objective
  prediction = online[own].prediction
  if settings.predictor == "least_squares":
    prediction = objectives.least_squares(prediction, targets[other], AXIS)
  kind = objective.normalization
  phi = objectives.normalize(prediction, kind, AXIS)
  psi = objectives.normalize(targets[other], kind, AXIS)
  parts = {"regression_loss": objectives.regression_loss(phi, psi)}
  if not objective.negative_weight:
    return parts
  if objective.has_queue:
    cosines = objectives.queue_cosines(phi, psi, queue)
  else:
    same = objectives.unit(targets[own])
    cosines = objectives.batch_cosines(phi, same, psi, AXIS)
  temperature = objective.temperature
  return {
    **parts,
    "negative_loss": objectives.negative_loss(cosines, temperature),
  }


def _collapse(
  online: Mapping[str, network.Outputs], targets: Mapping[str, chex.Array]
) -> dict[str, chex.Array]:
  """Statistics of the projections; of a view that only the target sees, its."""
  second = targets.get("view2")
  if "view2" in online:
    second = online["view2"].projection
  return metrics.collapse_statistics(
    objectives.unit(online["view1"].projection), objectives.unit(second), AXIS
  )


def _classify(logits: chex.Array, labels: chex.Array) -> Metrics:
  """Loss and training accuracies of the online classifier."""
  return {
    "classification_loss": jnp.mean(
      objectives.classification_loss(logits, labels)
    ),
    "train_top1": jnp.mean(metrics.in_top_k(logits, labels, 1)),
    "train_top5": jnp.mean(metrics.in_top_k(logits, labels, 5)),
  }
