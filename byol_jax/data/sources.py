"""What every source of pictures offers, and the order they are read in."""

import logging
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from byol_jax.augment import policies

GEOMETRY_ORDERS = ("crop_then_resize", "resize_then_crop")


class ArraySource(NamedTuple):
  """Pictures of one size that fit in memory.

  Attributes:
    images: [n, height, width, 3] uint8.
    labels: [n] int32, or [0] when unlabelled; [n, num_classes] where a picture
      may have several: 1 present, 0 absent, -1 not to be counted.
    class_names: the name of each class; empty when unlabelled.
  """

  images: np.ndarray
  labels: np.ndarray
  class_names: tuple[str, ...]


class EncodedSource(NamedTuple):
  """Random access to encoded pictures of any size.

  Attributes:
    num_images: how many there are.
    labels: as in `ArraySource`.
    class_names: the name of each class; empty when unlabelled.
    read: position to the bytes of the encoded file; may be called by several
      threads at once.
    name: position to a name for messages.
    is_plain_jpeg: [num_images] bool, an 8-bit RGB or grey JPEG that needs no
      rotation, so that decoding only the crop is right.
  """

  num_images: int
  labels: np.ndarray
  class_names: tuple[str, ...]
  read: Callable[[int], bytes]
  name: Callable[[int], str]
  is_plain_jpeg: np.ndarray


class RecordSource(NamedTuple):
  """Random access to encoded pictures whose labels lie beside them.

  Attributes:
    num_images: how many there are.
    labelled: whether each has a label.
    class_names: the name of each class; empty when unlabelled.
    read: position to the bytes of the encoded file and the label, 0 when
      unlabelled; may be called by several threads at once.
  """

  num_images: int
  labelled: bool
  class_names: tuple[str, ...]
  read: Callable[[int], tuple[bytes, int]]


class StreamSource(NamedTuple):
  """Encoded pictures that can only be read from the front.

  Attributes:
    num_images: how many there are.
    labelled: whether each has a label.
    class_names: the name of each class; empty when unlabelled.
    open: seed, host and number of hosts to a tf.data.Dataset that goes once
      through the host's equal part of the pictures: roughly shuffled by the
      seed, or in order when it is None. Each element has `encoded`, the file,
      and where there are any `label`, int32.
  """

  num_images: int
  labelled: bool
  class_names: tuple[str, ...]
  open: Callable[[int | None, int, int], Any]


Source = ArraySource | EncodedSource | RecordSource | StreamSource


class Reader(NamedTuple):
  """Who reads.

  Attributes:
    seed: of the order and of the augmentations.
    batch_size: images per step, all hosts together.
    host: number of this host, in [0, num_hosts).
    num_hosts: how many processes share each batch.
  """

  seed: int
  batch_size: int
  host: int
  num_hosts: int


class Views(NamedTuple):
  """How a picture becomes two views, or one.

  Attributes:
    policies: the distributions T and T' of two views, or that of one.
    image_px: side of a view.
    where: "host" crops and changes colours here; "device" crops here and leaves
      the colours to the device; "memory" leaves both to the device.
  """

  policies: tuple[policies.Policy, ...]
  image_px: int
  where: str


class Geometry(NamedTuple):
  """What evaluation shows of a picture (paper, "Linear evaluation").

  Attributes:
    order: "crop_then_resize" cuts the central square, `share` of the shorter
      side, and resizes it (released code); "resize_then_crop" resizes until the
      network sees `share` of the shorter side, and cuts then (paper).
    share: in (0, 1].
  """

  order: str
  share: float


def resizes_first(geometry: Geometry) -> bool:
  """Whether a geometry is "resize_then_crop".

  Raises:
    ValueError: the order is unknown or the share out of range.
  """
  if geometry.order not in GEOMETRY_ORDERS:
    raise ValueError(
      f"the geometry's order is {geometry.order!r}: choose one of"
      f" {', '.join(GEOMETRY_ORDERS)}."
    )
  if not 0 < geometry.share <= 1:
    raise ValueError(
      f"the geometry's share is {geometry.share}: it has to be in (0, 1]."
    )
  return geometry.order == "resize_then_crop"


def size(source: Source) -> int:
  """How many pictures a source has."""
  if isinstance(source, ArraySource):
    return len(source.images)
  return source.num_images


def is_labelled(source: Source) -> bool:
  """Whether each picture of a source has a label."""
  if isinstance(source, ArraySource | EncodedSource):
    return bool(source.labels.size)
  return source.labelled


def steps_per_epoch(num_images: int, batch_size: int) -> int:
  """Whole batches in one epoch; the remainder is dropped.

  Raises:
    ValueError: if there are fewer images than one batch needs.
  """
  if num_images < batch_size:
    raise ValueError(
      f"the training set has {num_images} images, fewer than one batch of"
      f" {batch_size}: lower training.batch_size."
    )
  return num_images // batch_size


def log_remainder(num_images: int, batch_size: int) -> None:
  """Says how many images each epoch leaves out, if any."""
  remainder = num_images % batch_size
  if remainder:
    logging.warning(
      "Each epoch leaves out %d of %d images, which fill no batch of %d.",
      remainder,
      num_images,
      batch_size,
    )


def local_size(reader: Reader) -> int:
  """Images per step on one host.

  Raises:
    ValueError: if the hosts cannot share the batch equally.
  """
  if reader.batch_size % reader.num_hosts:
    raise ValueError(
      f"a batch of {reader.batch_size} images cannot be shared equally by"
      f" {reader.num_hosts} hosts."
    )
  return reader.batch_size // reader.num_hosts


def epoch_positions(reader: Reader, num_images: int, step: int) -> np.ndarray:
  """Places in the epoch's order that this host reads at one step.

  The hosts interleave: whatever their number, their parts make up the same
  batch.

  Args:
    reader: who reads.
    num_images: size of the data set.
    step: training step, within any epoch.

  Returns:
    [batch_size / num_hosts] int64, in [0, num_images).

  Raises:
    ValueError: as in `steps_per_epoch` and `local_size`.
  """
  step_in_epoch = step % steps_per_epoch(num_images, reader.batch_size)
  places = np.arange(local_size(reader)) * reader.num_hosts + reader.host
  return step_in_epoch * reader.batch_size + places


def evaluation_positions(
  reader: Reader, num_images: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Batches of one pass in file order, equally many on every host.

  Args:
    reader: who reads.
    num_images: size of the data set.

  Yields:
    Positions, [batch_size / num_hosts] int64 in [0, num_images), and a mask,
    bool, that is False where a position is only padding.

  Raises:
    ValueError: as in `local_size`.
  """
  places = np.arange(local_size(reader)) * reader.num_hosts + reader.host
  for start in range(0, num_images, reader.batch_size):
    positions = start + places
    mask = positions < num_images
    yield np.where(mask, positions, 0), mask
