"""What the released code does to one picture on the host, in our own words.

Both views are decoded on their own, resized as float32 and kept so. What it
does to the colours afterwards is its work on the device; here it stands in
tf.data, one picture at a time, to be compared with ours there.
"""

import tensorflow as tf

from byol_jax.augment import policies
from byol_jax.data import host_crops

_LUMA = (0.2989, 0.5870, 0.1140)


def crop(
  encoded: tf.Tensor, box: host_crops.Box, flipped: tf.Tensor, image_px: int
) -> tf.Tensor:
  """One view before its colours change.

  Args:
    encoded: JPEG file, string scalar.
    box: to be cut out, int32 scalars.
    flipped: bool scalar.
    image_px: side of the result.

  Returns:
    [image_px, image_px, 3] in [0, 1].
  """
  image = tf.image.decode_and_crop_jpeg(encoded, tf.stack(box), channels=3)
  image = tf.cond(flipped, lambda: tf.reverse(image, [1]), lambda: image)
  image = tf.image.resize(
    image, (image_px, image_px), tf.image.ResizeMethod.BICUBIC
  )
  return tf.clip_by_value(image / 255.0, 0.0, 1.0)


def lay_out(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
  """Puts the batch last, as the released code does for TPUs."""
  return {name: tf.transpose(x, (1, 2, 3, 0)) for name, x in batch.items()}


def recolour(
  image: tf.Tensor, draw: policies.PhotometryDraw, radius: int
) -> tf.Tensor:
  """Jitters, greys, blurs and solarizes a view in [0, 1].

  Saturation and hue each go to HSV and back; a drawn number, not a list of
  orders, says where each of the four operations stands.
  """
  operations = (
    lambda x: x + draw.brightness,
    lambda x: _contrast(x, draw.contrast),
    lambda x: _in_hsv(x, 0.0, draw.saturation),
    lambda x: _in_hsv(x, draw.hue, 1.0),
  )
  seed = tf.stack([tf.cast(draw.order, tf.int32), 0])
  order = tf.random.experimental.stateless_shuffle(tf.range(4), seed)

  def jittered():
    changed = image
    for place in range(4):
      changed = tf.clip_by_value(
        _one_of(operations, order[place], changed), 0.0, 1.0
      )
    return changed

  image = tf.cond(draw.jitter, jittered, lambda: image)
  image = tf.cond(draw.grayscale, lambda: _grey(image), lambda: image)
  image = tf.cond(
    draw.blur, lambda: _blur(image, draw.sigma, radius), lambda: image
  )
  inverted = tf.where(image < 0.5, image, 1.0 - image)
  image = tf.cond(draw.solarize, lambda: inverted, lambda: image)
  return tf.clip_by_value(image, 0.0, 1.0)


def _one_of(operations, number: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
  branches = [_bound(operation, image) for operation in operations]
  return tf.switch_case(number, branches)


def _bound(operation, image: tf.Tensor):
  return lambda: operation(image)


def _contrast(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
  mean = tf.reduce_mean(image, axis=(0, 1), keepdims=True)
  return factor * (image - mean) + mean


def _in_hsv(image: tf.Tensor, turns, factor) -> tf.Tensor:
  hue, saturation, value = tf.unstack(tf.image.rgb_to_hsv(image), axis=-1)
  hue = tf.math.floormod(hue + turns, 1.0)
  saturation = tf.clip_by_value(saturation * factor, 0.0, 1.0)
  return tf.image.hsv_to_rgb(tf.stack([hue, saturation, value], axis=-1))


def _grey(image: tf.Tensor) -> tf.Tensor:
  luma = tf.reduce_sum(image * tf.constant(_LUMA), axis=-1, keepdims=True)
  return tf.tile(luma, (1, 1, 3))


def _blur(image: tf.Tensor, sigma: tf.Tensor, radius: int) -> tf.Tensor:
  taps = tf.range(-radius, radius + 1, dtype=tf.float32)
  weights = tf.exp(-tf.square(taps) / (2.0 * tf.square(sigma)))
  weights = tf.reshape(weights / tf.reduce_sum(weights), (-1, 1, 1, 1))
  weights = tf.tile(weights, (1, 1, 3, 1))
  image = image[None]
  for kernel in (weights, tf.transpose(weights, (1, 0, 2, 3))):
    image = tf.nn.depthwise_conv2d(image, kernel, (1, 1, 1, 1), "SAME")
  return image[0]
