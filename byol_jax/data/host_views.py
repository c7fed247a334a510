"""From one example to what the network sees, on the host, inside tf.data."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from byol_jax.augment import policies
from byol_jax.data import host_crops, host_photometry, pictures, sources

Source = sources.ArraySource | sources.EncodedSource | sources.StreamSource
Example = dict[str, tf.Tensor]

# Components of a CMYK JPEG, which TensorFlow cannot crop while decoding.
_CMYK = 4


def source_size(source: Source) -> int:
  """How many pictures a source has."""
  if isinstance(source, sources.ArraySource):
    return len(source.images)
  return source.num_images


def two_views(
  example: Example, source: Source, views: sources.Views, seed: int
) -> Example:
  """Makes both views of one picture.

  Args:
    example: `epoch` and `index`, int64 scalars; of a stream also `encoded` and,
      if labelled, `label`.
    source: where the picture is.
    views: how it becomes views.
    seed: of the run.

  Returns:
    `view1`, `view2`, `index` and, if labelled, `labels`, as
    `pipeline.train_batches` has them, for one picture.
  """
  draws = [
    host_crops.draw_uniforms(
      seed, example["epoch"], example["index"], view, source_size(source)
    )
    for view in range(2)
  ]
  crops = [
    policies.crop_draw(uniforms, policy)
    for uniforms, policy in zip(draws, views.policies, strict=True)
  ]
  places = [_random_place(crop) for crop in crops]
  images = _resized_cuts(example, source, places, views.image_px)
  made = _identity(example, source)
  for view, (image, crop) in enumerate(zip(images, crops, strict=True)):
    flipped = tf.where(crop.flip, image[:, ::-1], image)
    if views.where == "host":
      policy = views.policies[view]
      made[f"view{view + 1}"] = _recolour(flipped, draws[view], policy)
    else:
      made[f"view{view + 1}"] = host_crops.to_uint8(flipped)
  return made


def centre_view(
  example: Example, source: Source, image_px: int, share: float
) -> Example:
  """The central square of one picture, for evaluation.

  Args:
    example: `index`, and of a stream `encoded` and, if labelled, `label`.
    source: where the picture is.
    image_px: side of the result.
    share: side of the square over the picture's shorter side, in (0, 1].

  Returns:
    `images` uint8, `index` and, if labelled, `labels`.
  """

  def place(height, width):
    return host_crops.centre_box(height, width, share)

  (image,) = _resized_cuts(example, source, [place], image_px)
  return {
    "images": host_crops.to_uint8(image),
    **_identity(example, source),
  }


def _random_place(crop: policies.CropDraw) -> Callable:
  return lambda height, width: host_crops.random_box(crop, height, width)


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


def _identity(example: Example, source: Source) -> Example:
  """Which picture it is: `index` and, if labelled, `labels`."""
  index = example["index"]
  known = {"index": tf.cast(index, tf.int32)}
  if isinstance(source, sources.StreamSource):
    if source.labelled:
      known["labels"] = tf.cast(example["label"], tf.int32)
  elif source.labels.size:
    known["labels"] = tf.gather(tf.constant(source.labels), index)
  return known


def _resized_cuts(
  example: Example, source: Source, places: Sequence[Callable], image_px: int
) -> list[tf.Tensor]:
  """Parts of one picture; `places` turn its height and width into boxes."""

  def from_pixels(pixels):
    shape = tf.shape(pixels)
    boxes = [place(shape[0], shape[1]) for place in places]
    cuts = [host_crops.cut(pixels, box) for box in boxes]
    return [host_crops.resize(cut, image_px) for cut in cuts]

  def from_jpeg():
    shape = tf.image.extract_jpeg_shape(encoded)
    boxes = [place(shape[0], shape[1]) for place in places]
    cuts = [host_crops.decode_cut(encoded, box) for box in boxes]
    return [host_crops.resize(cut, image_px) for cut in cuts]

  if isinstance(source, sources.ArraySource):
    return from_pixels(_call(source.images.__getitem__, example["index"]))
  encoded = _encoded(example, source)
  return tf.cond(
    _is_plain_jpeg(example, source, encoded),
    from_jpeg,
    lambda: from_pixels(_call(_decode, encoded)),
  )


def _call(function: Callable, argument: tf.Tensor) -> tf.Tensor:
  """Pixels that a Python function has."""
  pixels = tf.numpy_function(function, [argument], tf.uint8)
  pixels.set_shape((None, None, 3))
  return pixels


def _decode(encoded: bytes) -> np.ndarray:
  try:
    return pictures.decode(encoded)
  except pictures.ERRORS as error:
    raise ValueError(f"{error}") from error


def _encoded(example: Example, source: Source) -> tf.Tensor:
  if isinstance(source, sources.StreamSource):
    return example["encoded"]
  encoded = tf.numpy_function(source.read, [example["index"]], tf.string)
  encoded.set_shape(())
  return encoded


def _is_plain_jpeg(
  example: Example, source: Source, encoded: tf.Tensor
) -> tf.Tensor:
  if isinstance(source, sources.EncodedSource) and source.is_plain_jpeg.size:
    return tf.gather(tf.constant(source.is_plain_jpeg), example["index"])
  return tf.cond(
    tf.io.is_jpeg(encoded),
    lambda: tf.image.extract_jpeg_shape(encoded)[2] != _CMYK,
    lambda: False,
  )
