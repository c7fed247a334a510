"""Random resized crops and the evaluation crop on the device."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from byol_jax.augment.policies import CropDraw


class Box(NamedTuple):
  """A rectangle in each picture.

  Attributes:
    top: [n] int32, first row.
    left: [n] int32, first column.
    height: [n] int32, at least 1.
    width: [n] int32, at least 1.
    flip: [n] bool, whether left and right change places.
  """

  top: Any
  left: Any
  height: Any
  width: Any
  flip: Any


def box(draw: CropDraw, height: Any, width: Any) -> Box:
  """Places a crop in pictures of a size in pixels.

  Height and width are rounded on their own (halves to even) and then cut to
  the picture: no rejection, no fallback (as released).

  Args:
    draw: arrays [n].
    height: of the pictures, one int or int32 [n].
    width: of the pictures, likewise.

  Returns:
    A `Box` inside the picture.
  """
  shape = draw.area.shape
  height = jnp.broadcast_to(jnp.asarray(height, jnp.int32), shape)
  width = jnp.broadcast_to(jnp.asarray(width, jnp.int32), shape)
  area = draw.area * (height * width).astype(jnp.float32)
  ratio = jnp.exp(draw.log_ratio)
  box_height = _rounded(jnp.sqrt(area / ratio), height)
  box_width = _rounded(jnp.sqrt(area * ratio), width)
  return Box(
    top=_placed(draw.top, height - box_height),
    left=_placed(draw.left, width - box_width),
    height=box_height,
    width=box_width,
    flip=draw.flip,
  )


def crop_and_resize(images: chex.Array, box: Box, image_px: int) -> chex.Array:
  """Cuts a box out of each picture and resizes it to a square.

  Bicubic (Keys, a = -0.5) with half-pixel centres and without antialiasing, as
  `tf.image.resize(crop, method="bicubic")`: taps outside the box are dropped
  and the weights of the others scaled to sum to one.

  Args:
    images: [n, height, width, 3], uint8 in [0, 255] or float32 in [0, 1].
    box: arrays [n].
    image_px: height and width of the result.

  Returns:
    [n, image_px, image_px, 3] in [0, 1].
  """
  chex.assert_shape(images, (None, None, None, 3))
  chex.assert_shape(tuple(box), (images.shape[0],))
  _, height, width, _ = images.shape
  scale = 255.0 if images.dtype == jnp.uint8 else 1.0
  rows = resize_matrix(box.top, box.height, height, image_px)
  columns = resize_matrix(box.left, box.width, width, image_px)
  columns = jnp.where(box.flip[:, None, None], columns[:, ::-1], columns)
  pixels = jnp.transpose(images, (0, 1, 3, 2)).astype(jnp.float32)
  precision = jax.lax.Precision.HIGHEST
  resized = jnp.einsum("nih,nhcw->nicw", rows, pixels, precision=precision)
  resized = jnp.einsum("nicw,njw->nicj", resized, columns, precision=precision)
  return jnp.clip(jnp.transpose(resized, (0, 1, 3, 2)) / scale, 0.0, 1.0)


def resize_matrix(
  start: chex.Array, length: chex.Array, size: int, image_px: int
) -> chex.Array:
  """Bicubic resize of a stretch of one axis, as a matrix.

  Args:
    start: [n] int32, first pixel of the stretch.
    length: [n] int32, pixels of the stretch.
    size: pixels of the whole axis.
    image_px: pixels of the result.

  Returns:
    [n, image_px, size]; each row sums to one.
  """
  chex.assert_equal_shape((start, length))
  start, length = start[:, None, None], length[:, None, None]
  centres = np.arange(image_px, dtype=np.float32)[None, :, None] + 0.5
  source = centres * (length.astype(jnp.float32) / image_px) - 0.5
  taps = np.arange(size, dtype=np.int32)[None, None, :] - start
  weights = _keys_cubic(jnp.abs(source - taps.astype(jnp.float32)))
  weights = jnp.where((taps >= 0) & (taps < length), weights, 0.0)
  return weights / weights.sum(axis=-1, keepdims=True)


def centre_crop(
  images: chex.Array, image_px: int, share: float = 0.875
) -> chex.Array:
  """Resizes the central square of each picture.

  The released evaluation crops first and resizes then.

  Args:
    images: [n, height, width, 3], uint8 in [0, 255] or float32 in [0, 1].
    image_px: height and width of the result.
    share: side of the square over the picture's shorter side, in (0, 1].

  Returns:
    [n, image_px, image_px, 3] in [0, 1].
  """
  chex.assert_shape(images, (None, None, None, 3))
  num_images, height, width, _ = images.shape
  side = max(1, int(share * min(height, width)))

  def full(value):
    return jnp.full((num_images,), value)

  square = Box(
    top=full((height - side + 1) // 2),
    left=full((width - side + 1) // 2),
    height=full(side),
    width=full(side),
    flip=full(False),
  )
  return crop_and_resize(images, square, image_px)


def resize_then_crop(
  images: chex.Array, image_px: int, share: float
) -> chex.Array:
  """Resizes pictures and cuts the central squares out, as in the paper.

  Args:
    images: [n, height, width, 3], uint8 in [0, 255] or float32 in [0, 1].
    image_px: height and width of the result.
    share: of the resized picture's shorter side, in (0, 1].

  Returns:
    [n, image_px, image_px, 3] in [0, 1].
  """
  chex.assert_shape(images, (None, None, None, 3))
  shorter = min(images.shape[1:3])
  scale = 255.0 if images.dtype == jnp.uint8 else 1.0

  def middle(size):
    """[image_px, size]: the rows of the resize that stay."""
    resized = round(size * round(image_px / share) / shorter)
    start = (resized - image_px + 1) // 2
    stretch = jnp.zeros((1,), jnp.int32), jnp.full((1,), size, jnp.int32)
    matrix = resize_matrix(*stretch, size, resized)
    return matrix[0, start : start + image_px]

  pixels = images.astype(jnp.float32)
  rows, columns = (middle(size) for size in images.shape[1:3])
  precision = jax.lax.Precision.HIGHEST
  cut = jnp.einsum("ih,nhwc->niwc", rows, pixels, precision=precision)
  cut = jnp.einsum("jw,niwc->nijc", columns, cut, precision=precision)
  return jnp.clip(cut / scale, 0.0, 1.0)


def _rounded(length: chex.Array, limit: chex.Array) -> chex.Array:
  return jnp.clip(jnp.round(length).astype(jnp.int32), 1, limit)


def _placed(uniform: chex.Array, room: chex.Array) -> chex.Array:
  """One of the `room + 1` places."""
  # No float32 below one takes the product up to `room + 1`.
  return (uniform * (room + 1).astype(jnp.float32)).astype(jnp.int32)


def _keys_cubic(distance: chex.Array) -> chex.Array:
  near = (1.5 * distance - 2.5) * distance**2 + 1.0
  far = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
  return jnp.where(distance < 1.0, near, jnp.where(distance < 2.0, far, 0.0))
