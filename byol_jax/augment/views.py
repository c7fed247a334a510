"""The views of each picture, two or only one, made on the device."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from byol_jax.augment import crops, photometry, policies
from byol_jax.augment.policies import Policy
from byol_jax.types import Batch


def view_maker(
  where: str, distributions: tuple[Policy, ...], image_px: int
) -> Callable[[Batch, chex.PRNGKey], Batch]:
  """The part of the augmentation that the device does.

  Args:
    where: "host" (nothing is left to do), "device" or "memory".
    distributions: T and T' of the two views, or that of the only view.
    image_px: height and width of the views.

  Returns:
    A function of a batch, as data/ yields it, and the step's key.
  """
  if where == "memory":
    return lambda batch, key: views_from_pool(
      batch, key, distributions, image_px
    )
  if where == "device":
    return lambda batch, key: views_from_crops(batch, key, distributions)
  return lambda batch, key: batch


def views_from_crops(
  batch: Batch, key: chex.PRNGKey, distributions: tuple[Policy, ...]
) -> Batch:
  """Finishes views that the host has cropped, resized and flipped.

  Args:
    batch: `view1` and, of two, `view2` uint8 [n, image_px, image_px, 3],
      `index` int32 [n], and whatever else, which is passed on.
    key: the step's key, the same on all devices: what happens to a picture
      depends on it and on the picture's index, not on its place in the batch.
    distributions: as in `view_maker`.

  Returns:
    The batch with float32 views in [0, 1], through which no gradient flows.
  """
  views = {}
  for number, policy in enumerate(distributions, start=1):
    images = batch[f"view{number}"].astype(jnp.float32) / 255.0
    draws = _uniforms(key, number, batch["index"])
    views[f"view{number}"] = _photometry(images, draws, policy)
  return {**batch, **views}


def views_from_pool(
  batch: Batch,
  key: chex.PRNGKey,
  distributions: tuple[Policy, ...],
  image_px: int,
) -> Batch:
  """Makes the views of pictures that lie on the device.

  Args:
    batch: `index` int32 [n] into `pool_images` uint8 [m, height, width, 3] and,
      for labelled data, `pool_labels` int32 [m].
    key: as in `views_from_crops`.
    distributions: as in `view_maker`.
    image_px: height and width of the views.

  Returns:
    `view1` and, of two, `view2` float32 [n, image_px, image_px, 3] in [0, 1],
    through which no gradient flows, `index` and, for labelled data, `labels`.
  """
  index = batch["index"]
  pictures = batch["pool_images"][index]
  made = {"index": index}
  if "pool_labels" in batch:
    made["labels"] = batch["pool_labels"][index]
  for number, policy in enumerate(distributions, start=1):
    draws = _uniforms(key, number, index)
    crop = policies.crop_draw(draws, policy)
    box = crops.box(crop, *pictures.shape[1:3])
    images = crops.crop_and_resize(pictures, box, image_px)
    made[f"view{number}"] = _photometry(images, draws, policy)
  return made


def split(batch: Batch, count: int) -> tuple[Batch, Batch]:
  """Cuts a batch into parts that are used one after the other.

  Args:
    batch: what `view_maker`'s functions take, or views.
    count: number of parts, which divides the pictures.

  Returns:
    Arrays [count, n / count, ...], and those that all parts share: the pool.
  """
  shared = {k: x for k, x in batch.items() if k.startswith("pool_")}
  parts = {
    k: x.reshape(count, -1, *x.shape[1:])
    for k, x in batch.items()
    if k not in shared
  }
  return parts, shared


def uniforms(
  key: chex.PRNGKey, index: chex.Array, shape: tuple[int, ...]
) -> chex.Array:
  """Numbers for each picture, whatever its place in the batch.

  Args:
    key: the same on all devices.
    index: int32 [n], which pictures.
    shape: of the numbers of one picture.

  Returns:
    [n, *shape] in [0, 1), a function of key and index.
  """
  keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, index)
  return jax.vmap(lambda one: jax.random.uniform(one, shape))(keys)


def _uniforms(key: chex.PRNGKey, view: int, index: chex.Array) -> chex.Array:
  """[n, NUM_UNIFORMS] of a view."""
  view_key = jax.random.fold_in(key, view)
  return uniforms(view_key, index, (policies.NUM_UNIFORMS,))


def _photometry(
  images: chex.Array, uniforms: chex.Array, policy: Policy
) -> chex.Array:
  if not _changes_colours(policy):
    return jax.lax.stop_gradient(images)
  draw = policies.photometry_draw(uniforms, policy)
  # Radius 0 leaves the blur's matrix products out.
  blurs = policy.blur > 0.0
  radius = policies.blur_radius(images.shape[1], policy) if blurs else 0
  views = photometry.apply(images, draw, radius, policy.solarize_threshold)
  return jax.lax.stop_gradient(views)


def _changes_colours(policy: Policy) -> bool:
  """False if it only crops and flips: the compiler cannot know from draws."""
  return any((policy.jitter, policy.grayscale, policy.blur, policy.solarize))
