"""What the released code does to the colours on the device, in our own words.

Each picture goes its own way: `cond` for whether an operation is drawn,
`switch` for which comes next, a convolution with a group for each channel to
blur. One picture comes after the other; a `vmap` would compute all branches.
"""

import chex
import jax
import jax.numpy as jnp

from byol_jax.augment.policies import PhotometryDraw

_LUMA = (0.2989, 0.5870, 0.1140)


def apply(images: chex.Array, draw: PhotometryDraw, radius: int) -> chex.Array:
  """Jitters, greys, blurs and solarizes as drawn.

  Args:
    images: [n, height, width, 3] in [0, 1].
    draw: arrays [n].
    radius: reach of the blur in pixels, 0 for none.

  Returns:
    [n, height, width, 3] in [0, 1].
  """
  return jax.lax.map(lambda one: _apply_one(*one, radius), (images, draw))


def _apply_one(
  image: chex.Array, draw: PhotometryDraw, radius: int
) -> chex.Array:
  image = _when(draw.jitter, lambda x: _jitter(x, draw), image)
  image = _when(draw.grayscale, _grey, image)
  if radius:
    image = _when(draw.blur, lambda x: _blur(x, draw.sigma, radius), image)
  image = _when(draw.solarize, lambda x: jnp.where(x < 0.5, x, 1.0 - x), image)
  return jnp.clip(image, 0.0, 1.0)


def _when(drawn: chex.Array, change, image: chex.Array) -> chex.Array:
  return jax.lax.cond(drawn, change, lambda x: x, image)


def _jitter(image: chex.Array, draw: PhotometryDraw) -> chex.Array:
  operations = (
    lambda x: x + draw.brightness,
    lambda x: _contrast(x, draw.contrast),
    lambda x: _in_hsv(x, 0.0, draw.saturation),
    lambda x: _in_hsv(x, draw.hue, 1.0),
  )
  # The order by the drawn number: not ours, but as many operations.
  key = jax.random.key(draw.order.astype(jnp.int32))
  order = jax.random.permutation(key, 4)
  for place in range(4):
    image = jax.lax.switch(order[place], operations, image)
    image = jnp.clip(image, 0.0, 1.0)
  return image


def _contrast(image: chex.Array, factor: chex.Array) -> chex.Array:
  mean = image.mean(axis=(0, 1), keepdims=True)
  return factor * (image - mean) + mean


def _in_hsv(image: chex.Array, turns, factor) -> chex.Array:
  hue, saturation, value = _to_hsv(image)
  hue = (hue + turns) % 1.0
  saturation = jnp.clip(saturation * factor, 0.0, 1.0)
  return _to_rgb(hue, saturation, value)


def _to_hsv(image: chex.Array) -> tuple[chex.Array, ...]:
  red, green, blue = (image[..., channel] for channel in range(3))
  value, lowest = image.max(axis=-1), image.min(axis=-1)
  chroma = value - lowest
  unit = jnp.where(chroma > 0.0, chroma, 1.0)
  hue = jnp.where(
    value == red,
    (green - blue) / unit,
    jnp.where(
      value == green, 2.0 + (blue - red) / unit, 4.0 + (red - green) / unit
    ),
  )
  hue = jnp.where(chroma > 0.0, (hue / 6.0) % 1.0, 0.0)
  saturation = jnp.where(
    value > 0.0, chroma / jnp.where(value > 0.0, value, 1.0), 0.0
  )
  return hue, saturation, value


def _to_rgb(
  hue: chex.Array, saturation: chex.Array, value: chex.Array
) -> chex.Array:
  chroma = saturation * value
  place = hue * 6.0
  between = chroma * (1.0 - jnp.abs(place % 2.0 - 1.0))
  sixth = jnp.floor(place).astype(jnp.int32) % 6
  zero = jnp.zeros_like(chroma)

  def chosen(*choices):
    return jnp.select([sixth == number for number in range(6)], choices)

  planes = (
    chosen(chroma, between, zero, zero, between, chroma),
    chosen(between, chroma, chroma, between, zero, zero),
    chosen(zero, zero, between, chroma, chroma, between),
  )
  return jnp.stack(planes, axis=-1) + (value - chroma)[..., None]


def _grey(image: chex.Array) -> chex.Array:
  luma = image @ jnp.asarray(_LUMA)
  return jnp.repeat(luma[..., None], 3, axis=-1)


def _blur(image: chex.Array, sigma: chex.Array, radius: int) -> chex.Array:
  taps = jnp.arange(-radius, radius + 1, dtype=jnp.float32)
  weights = jnp.exp(-jnp.square(taps) / (2.0 * jnp.square(sigma)))
  weights = weights / weights.sum()
  image = image[None]
  for shape in ((-1, 1, 1, 1), (1, -1, 1, 1)):
    kernel = jnp.tile(weights.reshape(shape), (1, 1, 1, 3))
    image = jax.lax.conv_general_dilated(
      image,
      kernel,
      window_strides=(1, 1),
      padding="SAME",
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
      feature_group_count=3,
    )
  return image[0]
