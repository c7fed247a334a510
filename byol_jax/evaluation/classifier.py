"""One training of linear classifiers, or of an encoder with one on top."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from byol_jax import classify, encoders, jobs, loop, parallel, stopping
from byol_jax.data import sources
from byol_jax.evaluation import feed, recipe, scoring, subject
from byol_jax.networks import network
from byol_jax.types import Variables

# What is drawn from the seed; the encoder's weights take the seed's own key.
_HEADS_KEY, _VIEWS_KEY = 1, 2


def train(
  trainer: feed.Trainer,
  point: recipe.Point,
  split: feed.Split,
  valid: feed.Split | None,
  workdir: str,
) -> classify.State:
  """Trains one point of a sweep, from its newest checkpoint if there is one.

  Args:
    trainer: what all points share.
    point: rates, decay and length.
    split: what to train on.
    valid: what to show a score of while training; None for nothing.
    workdir: folder of this point's checkpoints and metrics.

  Returns:
    The last state, replicated.

  Raises:
    ValueError: fewer pictures than a batch, or no steps after the warm-up.
    FloatingPointError: the loss of every head is not a number any more.
  """
  config = trainer.config
  plan = recipe.plan(config, point, sources.size(split.source))
  init, step = _make_parts(trainer, point, split, plan.num_steps)

  def evaluate(state):
    if valid is None:
      return {}
    metric = config.data.metric
    rows = score(trainer, state, valid)
    return {f"valid_{metric}": max(row[metric] for row in rows)}

  job = jobs.Job(
    init=lambda: parallel.replicate(init()),
    shapes=lambda: jax.eval_shape(init),
    step=parallel.pmap(step, donate=True),
    batches=lambda first_step: feed.train_batches(trainer, split, first_step),
    evaluate=evaluate,
    config_json=config.to_json_best_effort(),
  )
  state, _ = loop.run(job, plan, workdir)
  return state


def score(
  trainer: feed.Trainer, state: classify.State, split: feed.Split
) -> list[dict[str, float]]:
  """Scores each head on a split, every picture once on any number of devices.

  Args:
    trainer: what all points share.
    state: replicated.
    split: with labels.

  Returns:
    For each head what `scoring.scores` says of it.

  Raises:
    StoppedError: somebody wants the program to end.
  """
  net = None if split.cached else trainer.tested.net
  logits_of = parallel.pmap(
    classify.make_logits(net, recipe.objective(trainer.config))
  )
  logits, labels = [], []
  for batch in feed.test_batches(trainer, split):
    stopping.check()
    mask = parallel.gather(batch.pop("mask"))
    labels.append(parallel.gather(batch.pop("labels"))[mask])
    logits.append(parallel.gather(logits_of(state, batch))[mask])
  logits, labels = np.concatenate(logits), np.concatenate(labels)
  metric = trainer.config.data.metric
  return [
    scoring.scores(logits[:, head], labels, metric)
    for head in range(logits.shape[1])
  ]


def _make_parts(
  trainer: feed.Trainer, point: recipe.Point, split: feed.Split, num_steps: int
) -> tuple[Callable[[], classify.State], classify.Update]:
  """The first state on the host, and the update of each device."""
  config, tested = trainer.config, trainer.tested
  frozen = config.training.frozen
  key = jax.random.key(config.seed)
  net, variables = _trained_encoder(trainer, split)
  sizes = _dim(tested, split), len(tested.parts.class_names)
  heads_key = jax.random.fold_in(key, _HEADS_KEY)

  def fresh():
    heads = classify.init_heads(heads_key, *sizes, len(point.learning_rates))
    return classify.State(jnp.zeros([], jnp.int32), variables, heads, ())

  factor = recipe.schedule(config, num_steps, sources.size(split.source))
  params = classify.trained(jax.eval_shape(fresh), frozen)
  optimizer = recipe.optimizer(config, point, factor, params)
  update = classify.make_update(
    net, optimizer, recipe.objective(config), frozen
  )
  make_views = feed.view_maker(trainer, split)

  def init():
    state = fresh()
    params = classify.trained(state, frozen)
    return state._replace(opt_state=optimizer.init(params))

  def step(state, batch):
    views_key = jax.random.fold_in(key, _VIEWS_KEY)
    batch = make_views(batch, jax.random.fold_in(views_key, state.step))
    return update(state, batch)

  return init, step


def _trained_encoder(
  trainer: feed.Trainer, split: feed.Split
) -> tuple[network.Network | None, Variables | tuple[()]]:
  """The encoder in training; nothing where its features are known."""
  if split.cached:
    return None, ()
  encoder = trainer.tested.encoder
  if trainer.config.training.frozen:
    return trainer.tested.net, encoder.variables
  num_images = sources.size(split.source)
  spec = recipe.encoder_spec(trainer.config, encoder.spec, num_images)
  variables = encoders.with_norm_decay(encoder.variables, spec.norm_decay)
  return network.make_encoder(spec, parallel.AXIS), variables


def _dim(tested: subject.Subject, split: feed.Split) -> int:
  """Width of the representation."""
  if split.cached:
    return split.cached.representation.shape[1]
  px = tested.encoder.image_px
  images = jax.ShapeDtypeStruct((1, px, px, 3), jnp.float32)
  outputs, _ = jax.eval_shape(
    lambda x: tested.net.apply(tested.encoder.variables, x, False), images
  )
  return outputs.representation.shape[1]
