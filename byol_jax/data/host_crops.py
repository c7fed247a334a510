"""Crops on the host, one picture at a time: TensorFlow, inside tf.data."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from byol_jax.augment import policies

# Philox, explicitly, so that the draws do not change with TensorFlow's choice.
_GENERATOR = 1
# Beyond this ratio of the sides the ends are cut off before resizing.
_LONGEST = 16


class Box(NamedTuple):
  """A rectangle in one picture: int32 scalars, in pixels."""

  top: Any
  left: Any
  height: Any
  width: Any


def draw_uniforms(
  seed: int, epoch: tf.Tensor, index: tf.Tensor, view: int, num_images: int
) -> tf.Tensor:
  """The random numbers of one view of one picture in one epoch.

  Args:
    seed: of the run, at least 0.
    epoch: int64 scalar.
    index: int64 scalar, the picture's number in [0, num_images).
    view: 0 or 1.
    num_images: size of the data set.

  Returns:
    [NUM_UNIFORMS] in [0, 1). No two combinations of the arguments share a seed.
  """
  place = epoch * num_images + index
  pair = tf.stack([tf.constant(2 * seed + view, tf.int64), place])
  # As tf.random.stateless_uniform, which does much around it to no effect.
  key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=pair)
  return tf.raw_ops.StatelessRandomUniformV2(
    shape=[policies.NUM_UNIFORMS], key=key, counter=counter, alg=_GENERATOR
  )


def random_box(
  draw: policies.CropDraw, height: tf.Tensor, width: tf.Tensor
) -> Box:
  """Places a crop in a picture, as `augment.crops.box` does on the device.

  Args:
    draw: float32 scalars, or [n].
    height: of the picture, int32 scalar.
    width: of the picture, int32 scalar.

  Returns:
    A `Box` inside the picture, of the draw's shape.
  """
  area = draw.area * tf.cast(height * width, tf.float32)
  ratio = tf.exp(draw.log_ratio)
  box_height = _rounded(tf.sqrt(area / ratio), height)
  box_width = _rounded(tf.sqrt(area * ratio), width)
  return Box(
    top=_placed(draw.top, height - box_height),
    left=_placed(draw.left, width - box_width),
    height=box_height,
    width=box_width,
  )


def centre_box(height: tf.Tensor, width: tf.Tensor, share: float) -> Box:
  """The central square of the released evaluation.

  Args:
    height: of the picture, int32 scalar.
    width: of the picture, int32 scalar.
    share: side of the square over the picture's shorter side, in (0, 1].

  Returns:
    A square `Box`.
  """
  shorter = tf.cast(tf.minimum(height, width), tf.float64)
  side = tf.maximum(1, tf.cast(share * shorter, tf.int32))
  return Box(
    top=(height - side + 1) // 2,
    left=(width - side + 1) // 2,
    height=side,
    width=side,
  )


def whole_box(height: tf.Tensor, width: tf.Tensor) -> Box:
  """All of a picture."""
  return Box(tf.constant(0), tf.constant(0), height, width)


def cut(pixels: tf.Tensor, box: Box) -> tf.Tensor:
  """The part of a decoded picture [height, width, 3] inside a box."""
  return tf.slice(pixels, [box.top, box.left, 0], [box.height, box.width, 3])


def decode_cut(encoded: tf.Tensor, box: Box, dct_method: str) -> tf.Tensor:
  """Decodes only the part inside a box of a JPEG, uint8.

  Args:
    encoded: the file, string scalar.
    box: inside the picture.
    dct_method: "INTEGER_ACCURATE" or "INTEGER_FAST".
  """
  return tf.image.decode_and_crop_jpeg(
    encoded, tf.stack(box), channels=3, dct_method=dct_method
  )


def around(boxes: Sequence[Box]) -> Box:
  """The smallest box that holds all of them."""
  top = functools.reduce(tf.minimum, [box.top for box in boxes])
  left = functools.reduce(tf.minimum, [box.left for box in boxes])
  bottom = functools.reduce(tf.maximum, [b.top + b.height for b in boxes])
  right = functools.reduce(tf.maximum, [b.left + b.width for b in boxes])
  return Box(top, left, bottom - top, right - left)


def inside(box: Box, outer: Box) -> Box:
  """The same box, its place counted from the corner of an outer one."""
  return box._replace(top=box.top - outer.top, left=box.left - outer.left)


def flip(picture: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
  """Changes left and right of [height, width, 3] where bool `drawn` is true.

  Made for pictures of 8 bits before they are resized: `[:, ::-1]` of the
  float32 result takes longer than both resizes, drawn or not.
  """
  return tf.cond(drawn, lambda: tf.reverse(picture, axis=[1]), lambda: picture)


def resize(crop: tf.Tensor, image_px: int) -> tf.Tensor:
  """Bicubic resize without antialiasing, as in the released code.

  Args:
    crop: [height, width, 3] uint8.
    image_px: side of the result.

  Returns:
    [image_px, image_px, 3] float32 in [0, 255].
  """
  resized = tf.image.resize(
    crop, (image_px, image_px), method="bicubic", antialias=False
  )
  return tf.clip_by_value(resized, 0.0, 255.0)


def resize_then_crop(
  picture: tf.Tensor, image_px: int, share: float
) -> tf.Tensor:
  """Resizes a picture, then cuts the central square out (as in the paper).

  Args:
    picture: [height, width, 3] uint8.
    image_px: side of the result.
    share: of the resized picture's shorter side, in (0, 1].

  Returns:
    [image_px, image_px, 3] float32 in [0, 255].
  """
  picture = shortened(picture)
  sides = tf.cast(tf.shape(picture)[:2], tf.float64)
  shorter = tf.cast(round(image_px / share), tf.float64)
  sides = tf.cast(tf.round(sides * shorter / tf.reduce_min(sides)), tf.int32)
  resized = tf.image.resize(picture, sides, method="bicubic", antialias=False)
  top, left = tf.unstack((sides - image_px + 1) // 2)
  square = resized[top : top + image_px, left : left + image_px]
  square = tf.ensure_shape(square, (image_px, image_px, 3))
  return tf.clip_by_value(square, 0.0, 255.0)


def shortened(picture: tf.Tensor) -> tf.Tensor:
  """Cuts the ends off a very long picture: resized, they would fill any memory.

  Args:
    picture: [height, width, 3].

  Returns:
    The middle of it, with no side beyond 16 times the other, or one pixel more.
  """
  sides = tf.shape(picture)[:2]
  longest = _LONGEST * tf.reduce_min(sides)
  cut_off = tf.maximum(0, (sides - longest) // 2)
  kept = sides - 2 * cut_off
  return tf.slice(picture, [*tf.unstack(cut_off), 0], [*tf.unstack(kept), 3])


def to_uint8(image: tf.Tensor) -> tf.Tensor:
  """Rounds a picture in [0, 255]."""
  return tf.cast(tf.round(image), tf.uint8)


def _rounded(length: tf.Tensor, limit: tf.Tensor) -> tf.Tensor:
  return tf.clip_by_value(tf.cast(tf.round(length), tf.int32), 1, limit)


def _placed(uniform: tf.Tensor, room: tf.Tensor) -> tf.Tensor:
  """One of the `room + 1` places; the product may round up to the next."""
  place = tf.floor(uniform * tf.cast(room + 1, tf.float32))
  return tf.minimum(tf.cast(place, tf.int32), room)
