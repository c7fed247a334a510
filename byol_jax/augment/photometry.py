"""What happens to the colours of a view on the device.

Every picture of a batch takes the same path through the code, and its draw
decides by coefficients and selections what the path does to it: there is no
branch and no loop over pictures. Inside, a batch is [n, height, 3, width]: both
products of the blur then find their operands in place, and a channel is a
plane of whole rows.
"""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np

from byol_jax.augment.policies import PhotometryDraw

# `PhotometryDraw.order` counts through these.
ORDERS = tuple(
  itertools.permutations(("brightness", "contrast", "saturation", "hue"))
)
_LUMA = (0.2989, 0.5870, 0.1140)


def apply(
  images: chex.Array, draw: PhotometryDraw, radius: int, threshold: float
) -> chex.Array:
  """Jitters, greys, blurs and solarizes each picture as it was drawn.

  Definitions: paper, "Image augmentations". Results are clipped to [0, 1] after
  each of the four jitter operations and at the end.

  Args:
    images: [n, height, width, 3] in [0, 1].
    draw: what to do; arrays [n].
    radius: reach of the blur in pixels, 0 for none.
    threshold: solarization inverts the values from here on, in [0, 1].

  Returns:
    [n, height, width, 3] in [0, 1].
  """
  chex.assert_shape(images, (None, None, None, 3))
  chex.assert_shape(tuple(draw), (images.shape[0],))
  rows = jnp.transpose(images, (0, 1, 3, 2))
  rows = _jitter(rows, draw)
  rows = _grayscale(rows, _per_image(draw.grayscale))
  rows = _blur(rows, draw, radius)
  inverted = _per_image(draw.solarize) & (rows >= threshold)
  rows = jnp.where(inverted, 1.0 - rows, rows)
  return jnp.clip(jnp.transpose(rows, (0, 1, 3, 2)), 0.0, 1.0)


def blur_matrix(
  sigma: chex.Array, blurred: chex.Array, size: int, radius: int
) -> chex.Array:
  """Gaussian blur along one axis of zero-padded pictures, as a matrix.

  The weights of a whole kernel sum to one, so that a row near the edge, part
  of whose kernel lies outside the picture, sums to less.

  Args:
    sigma: [n] standard deviation in pixels, positive.
    blurred: [n] bool; elsewhere the matrix is the identity.
    size: length of the axis in pixels.
    radius: reach of the kernel in pixels.

  Returns:
    [n, size, size], symmetric.
  """
  chex.assert_equal_shape((sigma, blurred))
  sigma = sigma[:, None, None]
  offsets = np.arange(-radius, radius + 1, dtype=np.float32)[None, None, :]
  total = _gaussian(offsets, sigma).sum(axis=-1, keepdims=True)
  places = np.arange(size, dtype=np.float32)
  distance = np.abs(places[:, None] - places[None, :])[None]
  weights = jnp.where(distance <= radius, _gaussian(distance, sigma), 0.0)
  identity = np.eye(size, dtype=np.float32)[None]
  return jnp.where(blurred[:, None, None], weights / total, identity)


def _jitter(rows: chex.Array, draw: PhotometryDraw) -> chex.Array:
  """Applies the four operations in the order drawn.

  Saturation and hue commute, so all that counts is how many of the other two
  come before each: three turns of the colours around two changes of contrast
  or brightness hold every order.
  """
  order = jnp.asarray(_SCHEDULE)[draw.order.astype(jnp.int32)]
  for turn in range(3):
    saturate = draw.jitter & (order[:, 1] == turn)
    rotate = draw.jitter & (order[:, 2] == turn)
    changed = _saturate_and_rotate(
      rows,
      _per_image(jnp.where(saturate, draw.saturation, 1.0)),
      _per_image(jnp.where(rotate, draw.hue, 0.0)),
    )
    rows = jnp.where(_per_image(saturate | rotate), changed, rows)
    if turn < 2:
      rows = _scale_or_shift(rows, draw, order[:, 0] == turn)
  return rows


def _schedule() -> np.ndarray:
  """[24, 3] counts before contrast (of brightness), saturation and hue."""
  rows = []
  for order in ORDERS:
    linear = [order.index("brightness"), order.index("contrast")]
    others = [order.index("saturation"), order.index("hue")]
    before = [sum(place < other for place in linear) for other in others]
    rows.append([int(linear[0] < linear[1]), *before])
  return np.asarray(rows, np.int32)


_SCHEDULE = _schedule()


def _scale_or_shift(
  rows: chex.Array, draw: PhotometryDraw, is_contrast: chex.Array
) -> chex.Array:
  """Changes the contrast of some pictures and the brightness of the others."""
  factor = jnp.where(draw.jitter & is_contrast, draw.contrast, 1.0)
  shift = jnp.where(draw.jitter & ~is_contrast, draw.brightness, 0.0)
  # A factor of one must leave the picture exactly as it is.
  offset = rows.mean(axis=(1, 3), keepdims=True) * _per_image(1.0 - factor)
  return jnp.clip(
    rows * _per_image(factor) + (offset + _per_image(shift)), 0.0, 1.0
  )


def _saturate_and_rotate(
  rows: chex.Array, factor: chex.Array, turns: chex.Array
) -> chex.Array:
  """Multiplies the saturation and shifts the hue in HSV space.

  With value v and saturation s, a channel is v - v s t, where t in [0, 1]
  depends on the hue alone.
  """
  red, green, blue = (rows[:, :, channel : channel + 1] for channel in range(3))
  value = jnp.maximum(jnp.maximum(red, green), blue)
  chroma = value - jnp.minimum(jnp.minimum(red, green), blue)
  is_red, is_green = value == red, value == green
  start = jnp.where(is_red, 0.0, jnp.where(is_green, 2.0, 4.0))
  difference = jnp.where(
    is_red, green - blue, jnp.where(is_green, blue - red, red - green)
  )
  hue = start + difference / jnp.where(chroma > 0.0, chroma, 1.0) + 6.0 * turns
  hue = hue - 6.0 * jnp.floor(hue / 6.0)
  # Clipping s to one is clipping v s to v.
  chroma = jnp.clip(factor * chroma, 0.0, value)
  return jnp.concatenate(
    (
      value - chroma * jnp.clip(2.0 - jnp.abs(hue - 3.0), 0.0, 1.0),
      value - chroma * jnp.clip(jnp.abs(hue - 2.0) - 1.0, 0.0, 1.0),
      value - chroma * jnp.clip(jnp.abs(hue - 4.0) - 1.0, 0.0, 1.0),
    ),
    axis=2,
  )


def _grayscale(rows: chex.Array, drawn: chex.Array) -> chex.Array:
  """Drops the colours of some pictures."""
  planes = [rows[:, :, channel : channel + 1] for channel in range(3)]
  luma = sum(
    weight * plane for weight, plane in zip(_LUMA, planes, strict=True)
  )
  # Chosen plane by plane: of a luma broadcast to three channels and chosen then
  # XLA makes a loop on CPUs that takes longer than all the rest.
  chosen = [jnp.where(drawn, luma, plane) for plane in planes]
  return jnp.concatenate(chosen, axis=2)


def _blur(rows: chex.Array, draw: PhotometryDraw, radius: int) -> chex.Array:
  if radius == 0:
    return rows
  _, height, _, width = rows.shape
  precision = jax.lax.Precision.HIGHEST
  down = blur_matrix(draw.sigma, draw.blur, height, radius)
  across = blur_matrix(draw.sigma, draw.blur, width, radius)
  rows = jnp.einsum("nih,nhcw->nicw", down, rows, precision=precision)
  return jnp.einsum("nhcw,nwj->nhcj", rows, across, precision=precision)


def _gaussian(distance: np.ndarray, sigma: chex.Array) -> chex.Array:
  return jnp.exp(-0.5 * jnp.square(distance / sigma))


def _per_image(values: chex.Array) -> chex.Array:
  return values[:, None, None, None]
