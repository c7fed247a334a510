"""Pretraining: assembles the parts and hands them to the loop."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import ml_collections

from byol_jax import (
  assembly,
  byol,
  compiler,
  grids,
  initial,
  inputs,
  jobs,
  loop,
  parallel,
  sharding,
  weights_and_biases,
  workdirs,
)
from byol_jax.augment import views
from byol_jax.data import sources
from byol_jax.evaluation import features, summary
from byol_jax.networks import network
from byol_jax.types import Batch, Metrics


class Extras(NamedTuple):
  """What a run shows besides its record.

  Attributes:
    views: whether TensorBoard gets some views, after the first record.
    wandb: project of Weights & Biases that gets the numbers, too; "" for none.
  """

  views: bool = False
  wandb: str = ""


_NO_EXTRAS = Extras()
_ALONE = sharding.Hosts()


class Parts(NamedTuple):
  """The pure functions of a run, per device.

  Attributes:
    init: a batch to the state at step 0.
    step: (state, batch) to (state, metrics), of the device's part of a state.
    net: the network.
    shards: how whole states are cut in parts.
  """

  init: Callable[[Batch], byol.State]
  step: Callable[[byol.State, Batch], tuple[byol.State, Metrics]]
  net: network.Network
  shards: sharding.Sharding


def make_parts(
  config: ml_collections.ConfigDict,
  num_images: int,
  num_classes: int,
  pair: sources.Views,
  hosts: sharding.Hosts = _ALONE,
) -> Parts:
  """Builds everything that runs on the devices.

  Args:
    config: a validated config.
    num_images: size of the training split.
    num_classes: of the training split, 0 when unlabelled.
    pair: how pictures become views.
    hosts: whose devices may share states.

  Returns:
    Functions to be mapped over `parallel.AXIS`. All randomness comes from
    `config.seed` and the state's step.
  """
  lengths = assembly.durations(config, num_images)
  schedules = assembly.make_schedules(config, lengths)
  shards = assembly.make_sharding(config, num_classes, hosts)
  optimizer = assembly.make_optimizer(config, schedules.learning_rate, shards)
  net = assembly.make_network(config, num_classes)
  make_views = views.view_maker(pair.where, pair.policies, pair.image_px)
  settings = assembly.settings(config)
  update = byol.make_update(
    net, optimizer, schedules, settings, make_views, shards
  )

  def keys():
    return jax.random.split(jax.random.key(config.seed))

  def init(batch):
    init_key, views_key = keys()
    # As a step does: memory holds the views of one part of the batch.
    parts, shared = views.split(batch, config.training.micro_batches)
    first = {name: x[0] for name, x in parts.items()}
    images = make_views({**first, **shared}, views_key)["view1"]
    return byol.init_state(net, optimizer, init_key, images, settings)

  def step(state, batch):
    _, views_key = keys()
    key = jax.random.fold_in(views_key, state.step)
    return update(state, batch, key)

  return Parts(init, step, net, shards)


def check(config: ml_collections.ConfigDict, data: inputs.Inputs) -> None:
  """Refuses a config that does not fit the size of its data.

  Raises:
    ValueError: fewer pictures than a batch, no steps after the warm-up, or
      hosts that see other pictures.
  """
  num_images = sources.size(data.train)
  sources.steps_per_epoch(num_images, config.training.batch_size)
  assembly.durations(config, num_images)
  inputs.check_hosts(data.digest)


def run(
  config: ml_collections.ConfigDict,
  data: inputs.Inputs,
  workdir: str,
  extras: Extras = _NO_EXTRAS,
) -> dict[str, Any]:
  """Trains, evaluates and says what was reached.

  Args:
    config: a validated config.
    data: from `inputs.open_inputs`.
    workdir: folder of checkpoints, metrics and summary; one that has a
      checkpoint is continued.
    extras: what else is shown.

  Returns:
    What `summary.json` in the workdir holds.

  Raises:
    WorkdirError: the workdir cannot be used; nothing was begun.
    ValueError: the data or a checkpoint does not fit the config.
    OSError: something cannot be written.
    FloatingPointError: the loss or the state is not finite any more.
    ReplicaError: the devices' states differ.
    StoppedError: somebody asked for it, and everything is saved.
  """
  shapes = assembly.state_shapes(config, data.num_classes)
  num_bytes = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(shapes))
  with workdirs.open_workdir(workdir, num_bytes, config.checkpoint.keep):
    results = _run(config, data, shapes, workdir, extras)
  summary.report(results, workdir)
  return results


def _run(
  config: ml_collections.ConfigDict,
  data: inputs.Inputs,
  shapes: byol.State,
  workdir: str,
  extras: Extras,
) -> dict[str, Any]:
  num_images = sources.size(data.train)
  plan = assembly.plan(config, num_images)
  hosts = sharding.present_hosts()
  parts = make_parts(config, num_images, data.num_classes, data.views, hosts)
  first = compiler.hurried(parallel.pmap(parts.init))
  encode = features.make_encode(parts.net)
  scores = summary.make_scores(config, data, encode)

  def batches(step):
    return inputs.train_batches(
      data, config.seed, config.training.batch_size, step
    )

  def untrained():
    return first(next(batches(0)))

  show = None
  if extras.views and parallel.host() == 0:
    show = grids.once(data, config.seed, workdir)

  def begin():
    if show:
      grids.forget(workdir)
    return initial.state(config.init_from, untrained())

  job = jobs.Job(
    init=begin,
    shapes=lambda: shapes,
    step=parallel.pmap(parts.step, donate=True),
    batches=batches,
    evaluate=lambda state: scores(state.online),
    config_json=_described(config, data),
    name_of=getattr(data.train, "name", None),
    mirror=weights_and_biases.maker(extras.wandb, workdir, config),
    aside=show,
  )
  if parts.shards.num_parts > 1:
    job = job._replace(
      whole=parallel.pmap(parts.shards.whole_state),
      cut=parallel.pmap(parts.shards.cut_state),
      copies=parts.shards.copies,
    )
  state, first_step = loop.run(job, plan, workdir)
  results = None
  if first_step >= plan.num_steps:
    results = summary.earlier(config, workdir)
  # Host 0 decides for all: what follows are collectives.
  if not parallel.everywhere(results is not None)[0]:
    if show:
      show()  # The last step may have been told to stop.
    name = assembly.settings(config).name
    networks = {name: state.online, "untrained": untrained().online}
    results = summary.finish(config, data, encode, networks, workdir)
  return results


def _described(config: ml_collections.ConfigDict, data: inputs.Inputs) -> str:
  """The config, and what tells when other pictures lie in the same place."""
  plain = json.loads(config.to_json_best_effort())
  return json.dumps({**plain, "pictures": data.digest})
