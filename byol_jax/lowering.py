"""The update step of a config for devices that are not here."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import ml_collections

from byol_jax import assembly, inputs, parallel, platforms, pretrain, sharding
from byol_jax.data import sources
from byol_jax.types import Batch


class Sizes(NamedTuple):
  """What of the data decides about the program.

  Attributes:
    num_images: of the training split.
    num_classes: 0 when unlabelled.
    stored_px: side of the pictures that lie on the devices, where they do.
  """

  num_images: int
  num_classes: int
  stored_px: int = 0


def find_sizes(config: ml_collections.ConfigDict) -> Sizes:
  """Looks them up, or opens the data.

  Raises:
    ValueError: the data is not there.
  """
  num_images, num_classes = inputs.size_and_classes(config)
  stored_px = 0
  if config.data.views == "memory" and config.data.source == "photo_patches":
    stored_px = inputs.open_inputs(config).train.images.shape[1]
  return Sizes(num_images, num_classes, stored_px)


def batch_shapes(
  config: ml_collections.ConfigDict, sizes: Sizes, num_devices: int
) -> Batch:
  """Shapes of what a step of one device is given.

  Args:
    config: a validated config.
    sizes: of its data.
    num_devices: that share a batch.

  Returns:
    `jax.ShapeDtypeStruct`s, as `inputs.train_batches` has arrays.

  Raises:
    ValueError: pictures of unknown size would lie on the devices.
  """
  count = config.training.batch_size // num_devices
  shapes = {"index": jax.ShapeDtypeStruct((count,), jnp.int32)}
  labels = {}
  if config.data.labelled:
    labels["labels"] = jax.ShapeDtypeStruct((count,), jnp.int32)
  if config.data.views == "memory":
    return {**shapes, **_pool_shapes(config.data.labelled, sizes)}
  px = config.data.image_px
  kind = jnp.float32 if config.data.views == "host" else jnp.uint8
  view = jax.ShapeDtypeStruct((count, px, px, 3), kind)
  return {**shapes, **labels, "view1": view, "view2": view}


def lower(
  config: ml_collections.ConfigDict,
  sizes: Sizes,
  devices: tuple[jax.Device, ...],
) -> jax.stages.Lowered:
  """Traces the step that `pretrain.run` maps over all devices.

  Args:
    config: a validated config.
    sizes: of its data.
    devices: to compile for; they may be described only.

  Raises:
    ValueError: the run would be shorter than a step, or as `batch_shapes`.
  """
  with platforms.lowering_for(devices[0].platform):
    views = inputs.make_views(config)
    count = len(devices)
    parts = pretrain.make_parts(
      config,
      sizes.num_images,
      sizes.num_classes,
      views,
      hosts(devices),
    )
    state = assembly.state_shapes(config, sizes.num_classes)
    if parts.shards.num_parts > 1:
      state = parts.shards.state_shapes()
    batch = batch_shapes(config, sizes, count)
    step = parallel.pmap(parts.step, donate=True, devices=devices)
    return step.lower(*(_wide(x, count) for x in (state, batch)))


def hosts(devices: Sequence[jax.Device]) -> sharding.Hosts:
  """Those that some devices belong to, which may be described only."""
  first = devices[0].process_index
  near = sum(device.process_index == first for device in devices)
  return sharding.Hosts(near, len(devices))


def num_steps(config: ml_collections.ConfigDict, sizes: Sizes) -> int:
  """Updates of the whole run.

  Raises:
    ValueError: it would be shorter than a step.
  """
  sources.steps_per_epoch(sizes.num_images, config.training.batch_size)
  return assembly.durations(config, sizes.num_images).num_steps


def _pool_shapes(
  labelled: bool, sizes: Sizes
) -> Mapping[str, jax.ShapeDtypeStruct]:
  px = sizes.stored_px
  if not px:
    raise ValueError(
      "data.views=memory keeps the pictures on the devices, and how large they"
      " are is not known here: give --stored_px."
    )
  shape = (sizes.num_images, px, px, 3)
  shapes = {"pool_images": jax.ShapeDtypeStruct(shape, jnp.uint8)}
  if labelled:
    shapes["pool_labels"] = jax.ShapeDtypeStruct(shape[:1], jnp.int32)
  return shapes


def _wide(tree: chex.ArrayTree, count: int) -> chex.ArrayTree:
  """With a leading axis of devices."""
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct((count, *x.shape), x.dtype), tree
  )
