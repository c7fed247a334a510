"""What happens to the colours of a view on the host: TensorFlow, in tf.data.

The definitions are those of `augment.photometry`. Here a
picture comes alone, so that what was not drawn is not computed.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from byol_jax.augment import photometry, policies

_LUMA = (0.2989, 0.5870, 0.1140)


def apply(
  image: tf.Tensor,
  draw: policies.PhotometryDraw,
  radius: int,
  threshold: float,
) -> tf.Tensor:
  """Jitters, greys, blurs and solarizes a picture as it was drawn.

  Args:
    image: [height, width, 3] in [0, 1].
    draw: what to do; scalars.
    radius: reach of the blur in pixels, 0 for none.
    threshold: solarization inverts the values from here on, in [0, 1].

  Returns:
    [height, width, 3] in [0, 1].
  """
  image = _where(draw.jitter, lambda x: _jitter(x, draw), image)
  image = _where(draw.grayscale, _grayscale, image)
  if radius:
    image = _where(draw.blur, lambda x: _blur(x, draw.sigma, radius), image)
  image = _where(
    draw.solarize, lambda x: tf.where(x < threshold, x, 1.0 - x), image
  )
  return tf.clip_by_value(image, 0.0, 1.0)


def _where(
  condition: tf.Tensor, change: Callable[[tf.Tensor], tf.Tensor], image
) -> tf.Tensor:
  return tf.cond(condition, lambda: change(image), lambda: image)


def _jitter(image: tf.Tensor, draw: policies.PhotometryDraw) -> tf.Tensor:
  """Applies the four operations in the order drawn, clipping after each."""
  operations = {
    "brightness": lambda x: x + draw.brightness,
    "contrast": lambda x: _contrast(x, draw.contrast),
    "saturation": lambda x: tf.image.adjust_saturation(x, draw.saturation),
    "hue": lambda x: tf.image.adjust_hue(x, draw.hue),
  }
  names = tuple(operations)
  order = tf.gather(_orders(names), tf.cast(draw.order, tf.int32))
  for place in range(len(names)):
    branches = [_branch(operations[name], image) for name in names]
    image = tf.switch_case(order[place], branches)
    image = tf.clip_by_value(image, 0.0, 1.0)
  return image


def _branch(operation, image: tf.Tensor) -> Callable[[], tf.Tensor]:
  return lambda: operation(image)


def _orders(names: tuple[str, ...]) -> np.ndarray:
  """[24, 4] which operation comes first, second, third and last."""
  orders = [
    [names.index(name) for name in order] for order in photometry.ORDERS
  ]
  return np.array(orders, np.int32)


def _contrast(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
  mean = tf.reduce_mean(image, axis=(0, 1), keepdims=True)
  return mean + factor * (image - mean)


def _grayscale(image: tf.Tensor) -> tf.Tensor:
  luma = tf.tensordot(image, tf.constant(_LUMA), axes=1)[:, :, None]
  return tf.repeat(luma, 3, axis=2)


def _blur(image: tf.Tensor, sigma: tf.Tensor, radius: int) -> tf.Tensor:
  """Gaussian blur with zero padding, rows and then columns."""
  offsets = tf.range(-radius, radius + 1, dtype=tf.float32)
  kernel = tf.exp(-0.5 * tf.square(offsets / sigma))
  kernel = kernel / tf.reduce_sum(kernel)
  kernel = tf.tile(kernel[:, None, None, None], (1, 1, 3, 1))
  blurred = image[None]
  for direction in (kernel, tf.transpose(kernel, (1, 0, 2, 3))):
    blurred = tf.nn.depthwise_conv2d(
      blurred, direction, strides=(1, 1, 1, 1), padding="SAME"
    )
  return blurred[0]
