"""What happens to the colours of a view on the device.

Every picture of a batch takes the same path through the code, and its draw
decides by coefficients and selections what the path does to it: there is no
branch and no loop over pictures. Inside, a batch is its three planes, each
[n, height, width]: what one operation makes of them and what the next one sums
up are computed in one go, which no array of all three lets XLA do.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np

from byol_jax import platforms
from byol_jax.augment.policies import PhotometryDraw

# `PhotometryDraw.order` counts through these.
ORDERS = tuple(
  itertools.permutations(("brightness", "contrast", "saturation", "hue"))
)
_LUMA = (0.2989, 0.5870, 0.1140)
# Pixels of an axis that a CPU blurs at a time: a fifth of 224, the fastest of
# seven widths there, though 16 to 56 differ little.
_CPU_BAND_PX = 45


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
  planes = [images[..., channel] for channel in range(3)]
  planes = _jitter(planes, draw)
  planes = _grayscale(planes, _per_image(draw.grayscale))
  planes = _blur(planes, draw, radius)
  inverted = _per_image(draw.solarize)
  planes = [
    jnp.where(inverted & (plane >= threshold), 1.0 - plane, plane)
    for plane in planes
  ]
  return jnp.clip(jnp.stack(planes, axis=-1), 0.0, 1.0)


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


def _jitter(
  planes: Sequence[chex.Array], draw: PhotometryDraw
) -> list[chex.Array]:
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
      *planes,
      _per_image(jnp.where(saturate, draw.saturation, 1.0)),
      _per_image(jnp.where(rotate, draw.hue, 0.0)),
    )
    either = _per_image(saturate | rotate)
    planes = [
      jnp.where(either, new, old)
      for new, old in zip(changed, planes, strict=True)
    ]
    if turn < 2:
      is_contrast = order[:, 0] == turn
      planes = [_scale_or_shift(plane, draw, is_contrast) for plane in planes]
  return planes


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
  plane: chex.Array, draw: PhotometryDraw, is_contrast: chex.Array
) -> chex.Array:
  """Changes the contrast of some pictures and the brightness of the others."""
  factor = jnp.where(draw.jitter & is_contrast, draw.contrast, 1.0)
  shift = jnp.where(draw.jitter & ~is_contrast, draw.brightness, 0.0)
  # A factor of one must leave the picture exactly as it is.
  offset = plane.mean(axis=(1, 2), keepdims=True) * _per_image(1.0 - factor)
  return jnp.clip(
    plane * _per_image(factor) + (offset + _per_image(shift)), 0.0, 1.0
  )


def _saturate_and_rotate(
  red: chex.Array,
  green: chex.Array,
  blue: chex.Array,
  factor: chex.Array,
  turns: chex.Array,
) -> tuple[chex.Array, ...]:
  """Multiplies the saturation and shifts the hue in HSV space.

  With value v and saturation s, a channel is v - v s t, where t in [0, 1]
  depends on the hue alone.
  """
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
  return (
    value - chroma * jnp.clip(2.0 - jnp.abs(hue - 3.0), 0.0, 1.0),
    value - chroma * jnp.clip(jnp.abs(hue - 2.0) - 1.0, 0.0, 1.0),
    value - chroma * jnp.clip(jnp.abs(hue - 4.0) - 1.0, 0.0, 1.0),
  )


def _grayscale(
  planes: Sequence[chex.Array], drawn: chex.Array
) -> list[chex.Array]:
  """Drops the colours of some pictures."""
  luma = sum(
    weight * plane for weight, plane in zip(_LUMA, planes, strict=True)
  )
  return [jnp.where(drawn, luma, plane) for plane in planes]


def _blur(
  planes: Sequence[chex.Array], draw: PhotometryDraw, radius: int
) -> Sequence[chex.Array]:
  if radius == 0:
    return planes
  _, height, width = planes[0].shape
  down = blur_matrix(draw.sigma, draw.blur, height, radius)
  across = blur_matrix(draw.sigma, draw.blur, width, radius)
  product = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)

  def blurred(plane):
    plane = jnp.concatenate(
      [
        product("nih,nhw->niw", down[:, rows, near], plane[:, near])
        for rows, near in _bands(height, radius)
      ],
      axis=1,
    )
    return jnp.concatenate(
      [
        product("nhw,nwj->nhj", plane[:, :, near], across[:, near, columns])
        for columns, near in _bands(width, radius)
      ],
      axis=2,
    )

  return [blurred(plane) for plane in planes]


def _bands(size: int, radius: int) -> Iterator[tuple[slice, slice]]:
  """Parts of an axis, and for each what the blur of its pixels reaches.

  A TPU and a GPU take all of an axis at once: most of the matrix is zeros, but
  its product is a small part of the step. On a CPU it would be half of the
  time that the views take.
  """
  band = _CPU_BAND_PX if platforms.name() == "cpu" else size
  for start in range(0, size, band):
    end = min(start + band, size)
    yield slice(start, end), slice(max(start - radius, 0), end + radius)


def _gaussian(distance: np.ndarray, sigma: chex.Array) -> chex.Array:
  return jnp.exp(-0.5 * jnp.square(distance / sigma))


def _per_image(values: chex.Array) -> chex.Array:
  return values[:, None, None]
