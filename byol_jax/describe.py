"""What follows from a config, without training: `--dry_run`."""

import math

import chex
import jax
import ml_collections

from byol_jax import assembly, inputs, parallel, sharding
from byol_jax.data import sources
from byol_jax.networks import network


def describe(config: ml_collections.ConfigDict) -> str:
  """Derives what a run will do and need.

  Args:
    config: a validated config.

  Returns:
    Lines of text: steps, rate, parameters, images a host, disk and memory.

  Raises:
    ValueError: the data is not there, or the run has no steps.
  """
  num_images, num_classes = inputs.size_and_classes(config)
  sources.steps_per_epoch(num_images, config.training.batch_size)
  lengths = assembly.durations(config, num_images)
  plan = assembly.plan(config, num_images)
  batch_size = config.training.batch_size
  state = assembly.state_shapes(config, num_classes)
  params = state.online.params
  hosts = sharding.present_hosts()
  shards = assembly.make_sharding(config, num_classes, hosts)
  kept = f"{_mb(_bytes(state))} of state"
  if shards.num_parts > 1:
    weights = _bytes((params, state.target.params))
    part = _bytes(shards.state_shapes())
    kept = f"{_mb(part)} of state, {_mb(weights)} of gathered weights"
  encoder = network.encoder_part(params)
  # Those of one part of the batch at a time.
  part = batch_size // parallel.num_devices() // config.training.micro_batches
  views = 2 * part * config.data.image_px**2 * 3
  lines = (
    ("training pictures", f"{num_images:,}, {num_classes or 'no'} classes"),
    ("steps", f"{lengths.num_steps:,} of {batch_size:,} images"),
    ("warm-up steps", f"{lengths.num_warmup_steps:,}"),
    ("peak learning rate", f"{lengths.peak_rate:g}"),
    ("parameters", f"{_size(params):,}, the encoder {_size(encoder):,}"),
    (
      "devices",
      f"{parallel.num_devices()} on {parallel.num_hosts()} hosts,"
      f" {batch_size // parallel.num_hosts():,} images a host and step",
    ),
    ("evaluation every", _period(plan.evaluate_every)),
    ("checkpoint every", _period(plan.checkpoint_every)),
    # Orbax writes the new one before it removes the oldest.
    ("disk", f"{_mb(_bytes(state) * (plan.keep + 1))} of checkpoints"),
    (
      "memory a device",
      f"{kept}, {_mb(_bytes(params))} of gradients,"
      f" {_mb(4 * views)} of views; activations come on top",
    ),
  )
  return "\n".join(f"{name:>18}  {text}" for name, text in lines)


def _size(tree: chex.ArrayTree) -> int:
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def _bytes(tree: chex.ArrayTree) -> int:
  leaves = jax.tree.leaves(tree)
  return sum(math.prod(x.shape) * x.dtype.itemsize for x in leaves)


def _mb(count: int) -> str:
  return f"{count / 1e6:,.1f} MB"


def _period(steps: int) -> str:
  return f"{steps:,} steps and at the end" if steps else "at the end only"
