"""The ways to make both views of a JPEG that `input_pipeline` times."""

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from benchmarks import augment, released_input
from byol_jax.augment import policies
from byol_jax.data import host_crops, host_views, sources

IMAGE_PX, RELEASED = 224, "released"
_SEED = 0


class Place(NamedTuple):
  """Where a view is cut, and what is drawn for it."""

  box: host_crops.Box
  flipped: Any
  uniforms: Any


def works(files: list[bytes], batch_size: int) -> dict[str, Callable[[], None]]:
  """One pass over all pictures in each way, by name.

  Args:
    files: JPEGs.
    batch_size: pictures of a batch.
  """
  makers = {
    RELEASED: _released,
    "released, colours on the host": _released_recoloured,
    "decode": lambda example: tf.image.decode_jpeg(example["encoded"])[0, 0],
    "ours": _ours(len(files), "device"),
    "ours, colours on the host": _ours(len(files), "host"),
    "part: decode once": _part(lambda cut, flipped: cut[0, 0]),
    "part: flip": _part(lambda cut, flipped: _flipped(cut, flipped)[0, 0]),
    "part: resize": _part(lambda *cut: _resized(*cut)[0, 0]),
    "part: bytes": _part(lambda *cut: host_crops.to_uint8(_resized(*cut))),
  }
  made = {
    name: _pass(_batches(files, make, batch_size))
    for name, make in makers.items()
  }
  laid_out = _batches(files, _released, batch_size).map(released_input.lay_out)
  made["released, laid out for TPUs"] = _pass(laid_out)
  made["PIL"] = _pil(files, batch_size)
  return made


def both(files: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
  """What ours and the released way make of the same crops and flips.

  Args:
    files: JPEGs.

  Returns:
    [2, files, px, px, 3] of ours, uint8, and of the released way, in [0, 1].
  """
  finish = _part(lambda *cut: host_crops.to_uint8(_resized(*cut)))
  pairs = zip(
    _batches(files, finish, len(files)).as_numpy_iterator(),
    _batches(files, _released, len(files)).as_numpy_iterator(),
    strict=True,
  )
  ((ours, theirs),) = pairs
  return np.stack(ours), np.stack([*theirs.values()])


def _batches(
  files: list[bytes], make: Callable, batch_size: int
) -> tf.data.Dataset:
  """Everything on the calling thread."""
  options = tf.data.Options()
  options.threading.private_threadpool_size = 1
  options.threading.max_intra_op_parallelism = 1
  options.autotune.enabled = False
  examples = {
    "epoch": np.zeros([len(files)], np.int64),
    "index": np.arange(len(files)),
    "encoded": files,
  }
  return (
    tf.data.Dataset.from_tensor_slices(examples)
    .map(make)
    .batch(batch_size)
    .with_options(options)
  )


def _pass(batches: tf.data.Dataset) -> Callable[[], None]:
  def work():
    for _ in batches:
      pass

  return work


def _places(example: dict[str, tf.Tensor]) -> list[Place]:
  """Both views' crops, as training draws them."""
  shape = tf.image.extract_jpeg_shape(example["encoded"])
  places = []
  for view, policy in enumerate(augment.PAIR):
    # Any number of images draws as well as the real one.
    uniforms = host_crops.draw_uniforms(
      _SEED, example["epoch"], example["index"], view, 1
    )
    crop = policies.crop_draw(uniforms, policy)
    box = host_crops.random_box(crop, shape[0], shape[1])
    places.append(Place(box, crop.flip, uniforms))
  return places


def _released(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
  views = [
    released_input.crop(example["encoded"], place.box, place.flipped, IMAGE_PX)
    for place in _places(example)
  ]
  return {"view1": views[0], "view2": views[1]}


def _released_recoloured(
  example: dict[str, tf.Tensor],
) -> dict[str, tf.Tensor]:
  views = _released(example)
  made = {}
  for (name, view), place, policy in zip(
    views.items(), _places(example), augment.PAIR, strict=True
  ):
    draw = policies.photometry_draw(place.uniforms, policy)
    radius = policies.blur_radius(IMAGE_PX, policy)
    made[name] = released_input.recolour(view, draw, radius)
  return made


def _ours(num_images: int, where: str) -> Callable:
  views = sources.Views(augment.PAIR, IMAGE_PX, where)
  # Never opened: the examples are there already.
  source = sources.StreamSource(num_images, False, (), lambda *_: None)
  return lambda example: host_views.train_views(example, source, views, _SEED)


def _part(finish: Callable) -> Callable:
  """Ours up to some point: what both crops have become by then."""

  def make(example):
    places = _places(example)
    around = host_crops.around([place.box for place in places])
    decoded = host_crops.decode_cut(example["encoded"], around, "INTEGER_FAST")
    return [
      finish(
        host_crops.cut(decoded, host_crops.inside(place.box, around)),
        place.flipped,
      )
      for place in places
    ]

  return lambda example: tuple(make(example))


def _flipped(cut: tf.Tensor, flipped: tf.Tensor) -> tf.Tensor:
  return host_crops.flip(cut, flipped)


def _resized(cut: tf.Tensor, flipped: tf.Tensor) -> tf.Tensor:
  return host_crops.resize(_flipped(cut, flipped), IMAGE_PX)


def _pil(files: list[bytes], batch_size: int) -> Callable[[], None]:
  """Boxes are known before: drawing them takes PyTorch's users time, too."""
  places = list(_batches(files, _box_array, 1).unbatch().as_numpy_iterator())

  def both(encoded, rows):
    picture = Image.open(io.BytesIO(encoded)).convert("RGB")
    return [_pil_view(picture, *row) for row in rows]

  def work():
    for start in range(0, len(files), batch_size):
      stop = start + batch_size
      np.stack(list(map(both, files[start:stop], places[start:stop])))

  return work


def _box_array(example: dict[str, tf.Tensor]) -> tf.Tensor:
  """[2, 5] int32: top, left, height, width and whether to flip."""
  return tf.stack(
    [
      tf.stack([*place.box, tf.cast(place.flipped, tf.int32)])
      for place in _places(example)
    ]
  )


def _pil_view(picture, top, left, height, width, flipped) -> np.ndarray:
  view = picture.crop((left, top, left + width, top + height)).resize(
    (IMAGE_PX, IMAGE_PX), Image.Resampling.BICUBIC
  )
  if flipped:
    view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
  return np.asarray(view)
