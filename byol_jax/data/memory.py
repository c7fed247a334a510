"""Batches of a data set that fits in memory, without TensorFlow.

The pictures go to the device once, as a pool; a training batch is then only
the positions of its pictures in the pool, and the device cuts the views.
"""

import concurrent.futures
import math
import os
from collections.abc import Iterator

import numpy as np

from byol_jax.augment import crops
from byol_jax.data import pictures, problems, sources

# Small pictures have no margin to lose.
GEOMETRY = sources.Geometry("crop_then_resize", 1.0)


def decode_all(
  source: sources.EncodedSource, image_px: int | None = None
) -> sources.ArraySource:
  """Decodes a whole source into memory.

  Args:
    source: pictures of one size, or of any size when `image_px` is given.
    image_px: each picture's central square is resized to this side; None keeps
      the pictures as they are.

  Returns:
    The same pictures, labels and class names.

  Raises:
    ValueError: if `image_px` is None and the sizes differ, they need more
      memory than there is, or a picture cannot be decoded, which is named.
  """

  def decode(position):
    try:
      image = pictures.decode(source.read(position))
    except pictures.ERRORS as error:
      raise ValueError(
        problems.unreadable(source, position, pictures.reason(error))
      ) from error
    if image_px is None:
      return image
    return pictures.centre_square(image, 1.0, image_px)

  first = decode(0)
  _check_memory((source.num_images, *first.shape))
  images = np.empty((source.num_images, *first.shape), np.uint8)

  def fill(position):
    image = decode(position)
    if image.shape != first.shape:
      raise ValueError(_sizes_differ(source, position, image, first))
    images[position] = image

  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
    for _ in threads.map(fill, range(source.num_images)):
      pass
  return sources.ArraySource(images, source.labels, source.class_names)


def pooled(
  source: sources.Source | None, image_px: int | None = None
) -> sources.ArraySource | None:
  """A part of a data set as an array, whatever it is read from.

  Args:
    source: any, or None for a part that there is not.
    image_px: as in `decode_all`; arrays stay as they are.

  Returns:
    The pictures, or None.

  Raises:
    ValueError: as in `decode_all`.
  """
  if source is None or isinstance(source, sources.ArraySource):
    return source
  if not isinstance(source, sources.EncodedSource):
    # Imports TensorFlow, which read the source in the first place.
    from byol_jax.data import tfds_source

    source = tfds_source.read_all(source)
  return decode_all(source, image_px)


def pool(source: sources.ArraySource) -> dict[str, np.ndarray]:
  """What the device keeps: `pool_images`, and `pool_labels` where there are."""
  if not sources.is_labelled(source):
    return {"pool_images": source.images}
  return {"pool_images": source.images, "pool_labels": source.labels}


def train_batches(
  source: sources.ArraySource,
  views: sources.Views,
  reader: sources.Reader,
  start_step: int,
) -> Iterator[dict[str, np.ndarray]]:
  """Endless training batches of positions in the pool.

  The order of an epoch is a function of the seed and the epoch alone.

  Args:
    source: the pictures of the pool.
    views: unused, since the device cuts the views; `pipeline.train_batches`
      has the same signature.
    reader: who reads.
    start_step: the step that the first batch belongs to.

  Yields:
    `index`, [batch_size / num_hosts] int32.

  Raises:
    ValueError: if a batch is larger than the data set or the hosts cannot
      share it equally.
  """
  num_images = len(source.images)
  num_steps = sources.steps_per_epoch(num_images, reader.batch_size)
  sources.log_remainder(num_images, reader.batch_size)
  step = start_step
  while True:
    epoch = step // num_steps
    order = np.random.default_rng((reader.seed, epoch)).permutation(num_images)
    while step // num_steps == epoch:
      positions = sources.epoch_positions(reader, num_images, step)
      yield {"index": order[positions].astype(np.int32)}
      step += 1


def eval_batches(
  source: sources.ArraySource,
  image_px: int,
  reader: sources.Reader,
  geometry: sources.Geometry = GEOMETRY,
) -> Iterator[dict[str, np.ndarray]]:
  """One pass over all pictures in order, padded at the end.

  Args:
    source: the pictures.
    image_px: side of the pictures that the network sees.
    reader: who reads.
    geometry: what is shown of each picture.

  Yields:
    `images` [batch_size / num_hosts, image_px, image_px, 3] uint8, `index`
    int32, `mask` bool (False for padding) and, where there are any, `labels`
    int32.

  Raises:
    ValueError: if the hosts cannot share a batch equally or the geometry is
      impossible.
  """
  for index, mask in sources.evaluation_positions(reader, len(source.images)):
    batch = {
      "images": _shown(source.images[index], image_px, geometry),
      "index": index.astype(np.int32),
      "mask": mask,
    }
    if sources.is_labelled(source):
      batch["labels"] = source.labels[index]
    yield batch


def _shown(
  images: np.ndarray, image_px: int, geometry: sources.Geometry
) -> np.ndarray:
  """The central squares, resized as the training crops are."""
  resize_first = sources.resizes_first(geometry)
  if geometry.share == 1.0 and images.shape[1:3] == (image_px, image_px):
    return images
  cut = crops.resize_then_crop if resize_first else crops.centre_crop
  square = cut(images, image_px, geometry.share)
  return np.rint(np.asarray(square) * 255.0).astype(np.uint8)


def _check_memory(shape: tuple[int, ...]) -> None:
  """Refuses a pool that would have the system end the program."""
  wanted = math.prod(shape)
  there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
  if wanted > there:
    count, height, width, _ = shape
    raise ValueError(
      f"{count} pictures of {width}x{height} pixels are {wanted >> 30} GiB, and"
      f" this machine's memory has {there >> 30} GiB: set data.views to host or"
      " device, or in an evaluation data.stored_px."
    )


def _sizes_differ(source, position, image, first) -> str:
  """The one sentence of that error."""
  one, other = (problems.title(source, place) for place in (position, 0))
  return (
    f"{one} has {image.shape[1]}x{image.shape[0]} pixels, but {other} has"
    f" {first.shape[1]}x{first.shape[0]}; pictures of several sizes cannot be"
    " pooled in memory: set data.views to host or device, or in an evaluation"
    " data.stored_px."
  )
