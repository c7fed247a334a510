"""Parts of a source, and sources one after another."""

from collections.abc import Callable, Sequence

import numpy as np

from byol_jax.data import sources

_PREPARE = (
  "prepare it as array_record (docs/data.md), pool it by data.views=memory, or"
  " name the parts by TFDS slices such as 'train[:90%]'"
)


def select(
  source: sources.Source, positions: Sequence[int] | np.ndarray
) -> sources.Source:
  """Some pictures of a source, in any order, perhaps several times.

  Args:
    source: any with random access.
    positions: [n] integers in [0, size).

  Returns:
    A source of the same kind with n pictures.

  Raises:
    ValueError: a position does not exist, or the source is a stream.
  """
  check_access(source)
  chosen = np.asarray(positions, np.int64)
  size = sources.size(source)
  outside = chosen[(chosen < 0) | (chosen >= size)]
  if outside.size:
    raise ValueError(
      f"position {outside[0]} is not in a set of {size} pictures."
    )
  if isinstance(source, sources.ArraySource):
    return source._replace(
      images=source.images[chosen], labels=_rows(source.labels, chosen)
    )
  part = source._replace(
    num_images=len(chosen), read=lambda position: source.read(chosen[position])
  )
  if isinstance(source, sources.EncodedSource):
    part = part._replace(
      labels=_rows(source.labels, chosen),
      name=lambda position: source.name(chosen[position]),
      is_plain_jpeg=_rows(source.is_plain_jpeg, chosen),
    )
  return part


def check_access(source: sources.Source) -> None:
  """Refuses what `select` cannot take, before its labels are read.

  Raises:
    ValueError: the source is a stream.
  """
  if isinstance(source, sources.StreamSource):
    raise ValueError(
      f"no pictures can be picked out of a TFRecord data set: {_PREPARE}."
    )


def labels(source: sources.Source) -> np.ndarray:
  """All labels of a source.

  Args:
    source: any; of TFDS sets every record is read for it.

  Returns:
    [n] int32, [n, num_classes] where a picture may have several, or [0] when
    unlabelled.
  """
  if isinstance(source, sources.ArraySource | sources.EncodedSource):
    return source.labels
  if not source.labelled:
    return np.zeros(0, np.int32)
  if isinstance(source, sources.StreamSource):
    # Imports TensorFlow, which such a source needs anyway.
    from byol_jax.data import tfds_source

    records = tfds_source.all_of(source)
    return np.array([record["label"] for record in records], np.int32)
  return np.array(
    [source.read(position)[1] for position in range(source.num_images)],
    np.int32,
  )


def concatenate(
  first: sources.Source, second: sources.Source
) -> sources.Source:
  """One source after the other.

  Args:
    first: any with random access.
    second: of the same kind and with the same classes.

  Returns:
    A source of that kind.

  Raises:
    ValueError: the kinds, the sizes of pooled pictures or the labels do not
      fit, or one is a stream.
  """
  kinds = [type(source).__name__ for source in (first, second)]
  if kinds[0] != kinds[1]:
    raise ValueError(f"an {kinds[0]} cannot be joined with an {kinds[1]}.")
  if isinstance(first, sources.StreamSource):
    raise ValueError(f"two TFRecord data sets cannot be joined: {_PREPARE}.")
  if sources.is_labelled(first) != sources.is_labelled(second):
    raise ValueError("a part with labels cannot be joined with one without.")
  if isinstance(first, sources.ArraySource):
    return _joined_arrays(first, second)
  joined = first._replace(
    num_images=first.num_images + second.num_images,
    read=_either(first.read, second.read, first.num_images),
  )
  if isinstance(first, sources.EncodedSource):
    joined = joined._replace(
      labels=np.concatenate((first.labels, second.labels)),
      name=_either(first.name, second.name, first.num_images),
      is_plain_jpeg=np.concatenate((first.is_plain_jpeg, second.is_plain_jpeg)),
    )
  return joined


def _rows(x: np.ndarray, chosen: np.ndarray) -> np.ndarray:
  """The chosen rows, or the empty array that stands for nothing known."""
  return x[chosen] if x.size else x


def _joined_arrays(first, second) -> sources.ArraySource:
  shapes = [source.images.shape[1:3] for source in (first, second)]
  if shapes[0] != shapes[1]:
    one, other = (f"{width}x{height}" for height, width in shapes)
    raise ValueError(
      f"pictures of {one} pixels cannot be pooled with others of {other}: set"
      " data.stored_px, or data.views to host or device."
    )
  return first._replace(
    images=np.concatenate((first.images, second.images)),
    labels=np.concatenate((first.labels, second.labels)),
  )


def _either(first: Callable, second: Callable, border: int) -> Callable:
  """One function below a position and another, counted anew, from there."""

  def call(position):
    return first(position) if position < border else second(position - border)

  return call
