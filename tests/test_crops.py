"""Device crops against loops over taps and against TensorFlow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from byol_jax.augment import crops, policies

WITHIN = 1.0 / 255.0


def _crop_draw(num_images=1, **changes):
  draw = policies.CropDraw(
    area=0.5, log_ratio=0.0, top=0.0, left=0.0, flip=False
  )
  draw = draw._replace(**changes)
  return jax.tree.map(lambda value: jnp.full((num_images,), value), draw)


def _box(*rectangles):
  """Boxes of (top, left, height, width, flip)."""
  columns = zip(*rectangles, strict=True)
  return crops.Box(*(jnp.asarray(column) for column in columns))


def _pictures(num_images, height, width, seed=0):
  generator = np.random.default_rng(seed)
  shape = (num_images, height, width, 3)
  return generator.integers(0, 256, shape, np.uint8)


def _crop(images, box, image_px):
  crop = jax.jit(crops.crop_and_resize, static_argnums=2)
  return np.asarray(crop(jnp.asarray(images), box, image_px))


def _keys(distance):
  distance = abs(distance)
  if distance < 1.0:
    return 1.5 * distance**3 - 2.5 * distance**2 + 1.0
  if distance < 2.0:
    return -0.5 * distance**3 + 2.5 * distance**2 - 4.0 * distance + 2.0
  return 0.0


def _expected_resize(image, image_px, axis):
  """Resizes one axis, one output pixel at a time."""
  size = image.shape[axis]
  pixels = []
  for place in range(image_px):
    source = (place + 0.5) * size / image_px - 0.5
    weights = np.asarray([_keys(source - tap) for tap in range(size)])
    weights = weights / weights.sum()
    pixels.append(np.tensordot(weights, image, ((0,), (axis,))))
  return np.stack(pixels, axis)


def _expected_crop(image, rectangle, image_px):
  top, left, height, width, flip = rectangle
  image = image[top : top + height, left : left + width] / 255.0
  for axis in (0, 1):
    image = _expected_resize(image, image_px, axis)
  image = image[:, ::-1] if flip else image
  return np.clip(image, 0.0, 1.0)


@pytest.mark.parametrize(
  ("rectangle", "image_px"),
  [
    ((0, 0, 23, 37, False), 16),
    ((3, 5, 16, 16, False), 16),
    ((3, 5, 16, 16, True), 16),
    ((2, 1, 20, 9, True), 40),
    ((22, 36, 1, 1, False), 5),
    ((4, 30, 2, 7, True), 8),
    ((0, 0, 23, 37, True), 3),
  ],
)
def test_crop_equals_the_loops_and_tensorflow(rectangle, image_px):
  images = _pictures(1, 23, 37)
  result = _crop(images, _box(rectangle), image_px)[0]
  expected = _expected_crop(images[0], rectangle, image_px)
  assert 0.0 <= result.min() <= result.max() <= 1.0
  np.testing.assert_allclose(result, expected, atol=1e-5)

  top, left, height, width, flip = rectangle
  crop = images[0, top : top + height, left : left + width]
  resized = tf.image.resize(crop, (image_px, image_px), method="bicubic")
  resized = tf.image.flip_left_right(resized) if flip else resized
  host = np.clip(resized.numpy() / 255.0, 0.0, 1.0)
  np.testing.assert_allclose(result, host, atol=WITHIN)


def test_each_picture_has_its_own_box():
  rectangles = [(0, 0, 8, 8, False), (3, 4, 5, 2, True), (1, 0, 7, 9, False)]
  images = _pictures(3, 8, 9)
  result = _crop(images, _box(*rectangles), 6)
  for image, rectangle, actual in zip(images, rectangles, result, strict=True):
    expected = _expected_crop(image, rectangle, 6)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_whole_crop_of_the_right_size_is_the_picture():
  images = _pictures(1, 9, 9)
  straight = _crop(images, _box((0, 0, 9, 9, False)), 9)
  flipped = _crop(images, _box((0, 0, 9, 9, True)), 9)
  np.testing.assert_allclose(straight, images / 255.0, atol=1e-6)
  np.testing.assert_allclose(flipped, images[:, :, ::-1] / 255.0, atol=1e-6)


def test_float_pictures_are_not_scaled():
  images = _pictures(1, 10, 12)
  box = _box((1, 2, 7, 8, True))
  from_bytes = _crop(images, box, 5)
  from_floats = _crop(np.float32(images / 255.0), box, 5)
  np.testing.assert_allclose(from_bytes, from_floats, atol=1e-6)


@pytest.mark.parametrize(
  ("area", "ratio", "expected"),
  [
    (1.0, 1.0, (20, 40)),  # Ideally 28 x 28: the height is cut.
    (0.5, 1.0, (20, 20)),
    (0.08, 4 / 3, (7, 9)),  # 6.93 x 9.24
    (0.08, 3 / 4, (9, 7)),
    (1e-6, 1.0, (1, 1)),
  ],
)
def test_box_rounds_and_cuts_each_side_on_its_own(area, ratio, expected):
  draw = _crop_draw(area=area, log_ratio=float(np.log(ratio)))
  box = crops.box(draw, 20, 40)
  expected_width = 28 if area == 1.0 else expected[1]
  assert (int(box.height[0]), int(box.width[0])) == (
    expected[0],
    expected_width,
  )


@pytest.mark.parametrize(
  ("uniform", "expected"),
  [(0.0, (0, 0)), (0.5, (5, 15)), (0.9999999, (10, 30))],
)
def test_box_reaches_every_place(uniform, expected):
  # 10 x 10 in 20 x 40 pixels: 11 x 31 places.
  draw = _crop_draw(area=100 / 800, top=uniform, left=uniform)
  box = crops.box(draw, 20, 40)
  assert (int(box.height[0]), int(box.width[0])) == (10, 10)
  assert (int(box.top[0]), int(box.left[0])) == expected


def test_highest_uniform_stays_inside_pictures_of_any_size():
  height = jnp.arange(1, 5000)
  highest = float(np.nextafter(np.float32(1.0), np.float32(0.0)))
  draw = _crop_draw(len(height), area=1e-9, top=highest, left=highest)
  box = jax.jit(crops.box)(draw, height, height)
  np.testing.assert_array_equal(box.top, height - 1)
  np.testing.assert_array_equal(box.left, height - 1)


def test_random_boxes_follow_numpy_for_pictures_of_any_size():
  num_images = 500
  generator = np.random.default_rng(0)
  uniforms = generator.random((num_images, policies.NUM_UNIFORMS), np.float32)
  height, width = generator.integers(1, 600, (2, num_images), np.int32)
  policy = policies.Policy(
    (0.08, 1.0), (0.75, 4 / 3), 0.5, *(0.0,) * 7, (0.1, 2.0), 10.0, 0.0, 0.5
  )
  draw = policies.crop_draw(uniforms, policy)
  box = jax.jit(crops.box)(draw, height, width)
  for n in range(num_images):
    area = np.float64(draw.area[n]) * height[n] * width[n]
    ratio = np.exp(np.float64(draw.log_ratio[n]))
    high = min(max(round(np.sqrt(area / ratio)), 1), height[n])
    wide = min(max(round(np.sqrt(area * ratio)), 1), width[n])
    assert (box.height[n], box.width[n]) == (high, wide)
    assert box.top[n] == int(draw.top[n] * (height[n] - high + 1))
    assert box.left[n] == int(draw.left[n] * (width[n] - wide + 1))
    assert 0 <= box.top[n] <= height[n] - high
    assert 0 <= box.left[n] <= width[n] - wide
  np.testing.assert_array_equal(box.flip, uniforms[:, 4] < 0.5)


@pytest.mark.parametrize(
  ("height", "width", "image_px", "share", "rectangle"),
  [
    (40, 60, 28, 0.875, (3, 13, 35, 35, False)),  # (40 - 35 + 1) // 2 = 3
    (33, 24, 32, 0.875, (6, 2, 21, 21, False)),
    (12, 12, 12, 1.0, (0, 0, 12, 12, False)),
    (5, 9, 4, 1.0, (0, 2, 5, 5, False)),
  ],
)
def test_centre_crop_has_the_released_geometry(
  height, width, image_px, share, rectangle
):
  images = _pictures(2, height, width)
  crop = jax.jit(crops.centre_crop, static_argnums=(1, 2))
  result = crop(jnp.asarray(images), image_px, share)
  for image, actual in zip(images, result, strict=True):
    expected = _expected_crop(image, rectangle, image_px)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_centre_crop_keeps_seven_eighths_unless_told_otherwise():
  images = jnp.asarray(_pictures(1, 16, 16))
  result = crops.centre_crop(images, 14)
  np.testing.assert_allclose(result, images[:, 1:15, 1:15] / 255.0, atol=1e-6)
