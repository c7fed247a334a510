"""From one example to what the network sees, on the host, inside tf.data."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from byol_jax.augment import policies
from byol_jax.data import host_crops, host_photometry, pictures, sources

Example = dict[str, tf.Tensor]

# As released: what is rounded is far below what the views change.
_TRAINING_DCT = "INTEGER_FAST"
_EVALUATION_DCT = "INTEGER_ACCURATE"
_NO_PIXELS = np.zeros([0, 0, 3], np.uint8)
# Components of a CMYK JPEG, which TensorFlow cannot crop while decoding.
_CMYK = 4


def train_views(
  example: Example, source: sources.Source, views: sources.Views, seed: int
) -> Example:
  """Makes the views of one picture, two or only one.

  Args:
    example: `epoch` and `index`, int64 scalars; of a stream also `encoded` and,
      if labelled, `label`.
    source: where the picture is.
    views: how it becomes views.
    seed: of the run.

  Returns:
    `view1`, of two `view2`, `index` and, if labelled, `labels`, as
    `pipeline.train_batches` has them, for one picture.
  """
  example = _fetch(example, source)
  draws = [
    host_crops.draw_uniforms(
      seed, example["epoch"], example["index"], view, sources.size(source)
    )
    for view in range(len(views.policies))
  ]
  crops = [
    policies.crop_draw(uniforms, policy)
    for uniforms, policy in zip(draws, views.policies, strict=True)
  ]
  cuts = _cuts(example, _random_boxes(crops), _TRAINING_DCT)
  made = _identity(example)
  for view, (cut, crop) in enumerate(zip(cuts, crops, strict=True)):
    flipped = host_crops.flip(cut, crop.flip)
    image = host_crops.resize(flipped, views.image_px)
    if views.where == "host":
      policy = views.policies[view]
      made[f"view{view + 1}"] = _recolour(image, draws[view], policy)
    else:
      made[f"view{view + 1}"] = host_crops.to_uint8(image)
  return made


def centre_view(
  example: Example,
  source: sources.Source,
  image_px: int,
  geometry: sources.Geometry,
) -> Example:
  """The middle of one picture, for evaluation.

  Args:
    example: `index`, and of a stream `encoded` and, if labelled, `label`.
    source: where the picture is.
    image_px: side of the result.
    geometry: what is shown.

  Returns:
    `images` uint8, `index` and, if labelled, `labels`.
  """
  share = geometry.share
  example = _fetch(example, source)
  if sources.resizes_first(geometry):
    (whole,) = _cuts(
      example, lambda *sides: [host_crops.whole_box(*sides)], _EVALUATION_DCT
    )
    image = host_crops.resize_then_crop(whole, image_px, share)
  else:
    (square,) = _cuts(
      example,
      lambda *sides: [host_crops.centre_box(*sides, share)],
      _EVALUATION_DCT,
    )
    image = host_crops.resize(square, image_px)
  return {
    "images": host_crops.to_uint8(image),
    **_identity(example),
  }


def _random_boxes(crops: Sequence[policies.CropDraw]) -> Callable:
  """Height and width to a box for each crop."""
  # All in one go: so small an operation takes as long for both as for one.
  draws = policies.CropDraw(*map(tf.stack, zip(*crops, strict=True)))

  def boxes(height, width):
    both = host_crops.random_box(draws, height, width)
    fields = map(tf.unstack, both)
    return list(itertools.starmap(host_crops.Box, zip(*fields, strict=True)))

  return boxes


def _recolour(
  image: tf.Tensor, uniforms: tf.Tensor, policy: policies.Policy
) -> tf.Tensor:
  """Changes the colours of a picture in [0, 255]; the result is in [0, 1]."""
  return host_photometry.apply(
    image / 255.0,
    policies.photometry_draw(uniforms, policy),
    policies.blur_radius(image.shape[0], policy),
    policy.solarize_threshold,
  )


def _fetch(example: Example, source: sources.Source) -> Example:
  """Adds `pixels`, or `encoded` and `plain`, and if labelled `label`."""
  index = example["index"]
  if isinstance(source, sources.ArraySource):
    pixels = _pixels(source.images.__getitem__, index)
    return {**example, "pixels": pixels, **_known_label(source, index)}
  if isinstance(source, sources.EncodedSource):
    encoded = tf.numpy_function(_guarded(source.read), [index], tf.string)
    plain = tf.gather(tf.constant(source.is_plain_jpeg), index)
    known = {"encoded": encoded, "plain": plain}
    return {**example, **known, **_known_label(source, index)}
  if isinstance(source, sources.RecordSource):
    encoded, label = tf.numpy_function(
      _guarded(source.read), [index], (tf.string, tf.int64)
    )
    example = {**example, "encoded": encoded}
    if source.labelled:
      example["label"] = tf.ensure_shape(label, ())
  return {**example, "plain": _looks_plain(example["encoded"])}


def _known_label(
  source: sources.ArraySource | sources.EncodedSource, index: tf.Tensor
) -> Example:
  if not sources.is_labelled(source):
    return {}
  return {"label": tf.gather(tf.constant(source.labels), index)}


def _looks_plain(encoded: tf.Tensor) -> tf.Tensor:
  """Whether it is a JPEG that TensorFlow decodes; nothing is rotated here."""
  return tf.cond(
    tf.io.is_jpeg(encoded),
    lambda: tf.image.extract_jpeg_shape(encoded)[2] != _CMYK,
    lambda: False,
  )


def _identity(example: Example) -> Example:
  """Which picture it is: `index` and, if labelled, `labels`."""
  known = {"index": tf.cast(example["index"], tf.int32)}
  if "label" in example:
    known["labels"] = tf.cast(example["label"], tf.int32)
  return known


def _cuts(
  example: Example, boxes: Callable, dct_method: str
) -> list[tf.Tensor]:
  """Parts of one picture, [height, width, 3] uint8.

  `boxes` turns height and width into one box for each.
  """
  if "pixels" in example:
    pixels = example["pixels"]
    placed = boxes(*tf.unstack(tf.shape(pixels)[:2]))
    return [host_crops.cut(pixels, box) for box in placed]
  plain, encoded = example["plain"], tf.ensure_shape(example["encoded"], ())
  # TensorFlow visits the way that is not taken, too: what both ways have in
  # common stands outside.
  shape, pixels = tf.cond(
    plain,
    lambda: (tf.image.extract_jpeg_shape(encoded), _NO_PIXELS),
    lambda: _shape_and_pixels(encoded),
  )
  placed = boxes(*tf.unstack(shape[:2]))
  around = host_crops.around(placed)
  part = tf.cond(
    plain,
    lambda: host_crops.decode_cut(encoded, around, dct_method),
    lambda: host_crops.cut(pixels, around),
  )
  return [
    host_crops.cut(part, host_crops.inside(box, around)) for box in placed
  ]


def _shape_and_pixels(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  pixels = _pixels(_guarded(pictures.decode), encoded)
  return tf.shape(pixels), pixels


def _pixels(function: Callable, argument: tf.Tensor) -> tf.Tensor:
  """The picture [height, width, 3] that a Python function has."""
  pixels = tf.numpy_function(function, [argument], tf.uint8)
  return tf.ensure_shape(pixels, (None, None, 3))


def _guarded(function: Callable) -> Callable:
  """Says in a few words what fails; TensorFlow passes a ValueError on."""

  def call(argument):
    try:
      return function(argument)
    except pictures.ERRORS as error:
      raise ValueError(pictures.reason(error)) from error

  return call
