"""The host's crops and colours against the device's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from byol_jax.augment import crops, photometry, policies
from byol_jax.data import host_crops, host_photometry

# Everything often enough to meet in a few pictures; both ends of the blur.
_POLICY = policies.Policy(
  crop_area=(0.08, 1.0),
  crop_ratio=(3 / 4, 4 / 3),
  flip=0.5,
  jitter=0.8,
  brightness=0.4,
  contrast=0.4,
  saturation=0.2,
  hue=0.1,
  grayscale=0.2,
  blur=0.6,
  blur_sigma=(0.1, 2.0),
  blur_divider=10.0,
  solarize=0.4,
  solarize_threshold=0.5,
)
_ONLY = _POLICY._replace(jitter=0.0, grayscale=0.0, blur=0.0, solarize=0.0)
_TOLERANCE = 1.0 / 255.0
_apply = jax.jit(photometry.apply, static_argnums=(2, 3))
_box = jax.jit(crops.box)
_crop_and_resize = jax.jit(crops.crop_and_resize, static_argnums=2)
_centre_crop = jax.jit(crops.centre_crop, static_argnums=(1, 2))


def _images(count=24, size=20):
  rng = np.random.default_rng(0)
  noise = rng.uniform(size=(count // 2, size, size, 3))
  rows, columns = np.mgrid[:size, :size] / size
  phases = rng.uniform(0, 6, size=(count - len(noise), 1, 1, 3))
  waves = np.sin(5 * rows + 3 * columns)[None, :, :, None]
  smooth = 0.5 + 0.5 * np.sin(phases + 2 * waves)
  return np.concatenate([noise, smooth]).astype(np.float32)


def _uniforms(count=24):
  uniforms = np.random.default_rng(1).uniform(
    size=(count, policies.NUM_UNIFORMS)
  )
  # Every order of the jitter once.
  uniforms[:, 6] = (np.arange(count) % 24 + 0.5) / 24
  return uniforms.astype(np.float32)


def _on_device(images, uniforms, policy, radius):
  draw = policies.photometry_draw(jnp.asarray(uniforms), policy)
  return np.asarray(_apply(jnp.asarray(images), draw, radius, 0.5))


def _on_host(image, uniforms, policy, radius):
  draw = policies.photometry_draw(uniforms, policy)
  return host_photometry.apply(image, draw, radius, 0.5)


_POLICIES = {
  "everything": _POLICY._replace(jitter=1.0, blur=1.0),
  "as drawn": _POLICY,
  "jitter": _ONLY._replace(jitter=1.0),
  "strong jitter": _ONLY._replace(jitter=1.0, saturation=0.9, hue=0.5),
  "grayscale": _ONLY._replace(grayscale=1.0),
  "blur": _ONLY._replace(blur=1.0),
  "solarize": _ONLY._replace(solarize=1.0),
}


@pytest.mark.parametrize("policy", _POLICIES.values(), ids=_POLICIES)
def test_apply_equals_the_device_inside_a_dataset(policy):
  images, uniforms = _images(), _uniforms()
  dataset = tf.data.Dataset.from_tensor_slices((images, uniforms)).map(
    lambda image, numbers: _on_host(image, numbers, policy, 4)
  )
  host = np.stack(list(dataset.as_numpy_iterator()))
  assert np.abs(host - images).mean() > 0.01
  device = _on_device(images, uniforms, policy, 4)
  np.testing.assert_allclose(host, device, rtol=0, atol=_TOLERANCE)


@pytest.mark.parametrize("number", [0, 7, 23])
def test_apply_equals_the_device_eagerly(number):
  images, uniforms = _images(), _uniforms()
  policy = _POLICIES["everything"]
  host = _on_host(
    tf.constant(images[number]), tf.constant(uniforms[number]), policy, 4
  )
  device = _on_device(images, uniforms, policy, 4)
  np.testing.assert_allclose(host, device[number], rtol=0, atol=_TOLERANCE)


def test_apply_leaves_the_picture_alone_when_nothing_is_drawn():
  image = _images()[0]
  same = _on_host(tf.constant(image), tf.constant(_uniforms()[0]), _ONLY, 4)
  np.testing.assert_array_equal(same, image)


def test_blur_of_a_point_is_the_gaussian():
  image = np.zeros((9, 9, 3), np.float32)
  image[4, 4] = 1.0
  policy = _ONLY._replace(blur=1.0, blur_sigma=(1.5, 1.5))
  blurred = _on_host(tf.constant(image), tf.constant(_uniforms()[0]), policy, 2)
  kernel = np.exp(-np.square(np.arange(-2, 3) / 1.5) / 2)
  kernel = np.pad(kernel / kernel.sum(), 2)
  expected = np.broadcast_to(np.outer(kernel, kernel)[..., None], (9, 9, 3))
  np.testing.assert_allclose(blurred, expected, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (37, 61), (60, 5)])
def test_random_box_equals_the_device(height, width):
  uniforms = _uniforms(200)
  device = _box(
    policies.crop_draw(jnp.asarray(uniforms), _POLICY), height, width
  )
  host = [
    host_crops.random_box(policies.crop_draw(row, _POLICY), height, width)
    for row in tf.constant(uniforms)
  ]
  assert len(np.unique(device.height)) > 5
  for name in host_crops.Box._fields:
    values = [getattr(box, name).numpy() for box in host]
    np.testing.assert_array_equal(values, getattr(device, name))


@pytest.mark.parametrize("image_px", [8, 24])
def test_crop_equals_the_device(image_px):
  images = np.round(_images() * 255).astype(np.uint8)
  uniforms = _uniforms()
  draw = policies.crop_draw(jnp.asarray(uniforms), _POLICY._replace(flip=0.0))
  box = _box(draw, 20, 20)
  device = _crop_and_resize(jnp.asarray(images), box, image_px)

  def crop(image, numbers):
    box = host_crops.random_box(policies.crop_draw(numbers, _POLICY), 20, 20)
    return host_crops.resize(host_crops.cut(image, box), image_px) / 255.0

  dataset = tf.data.Dataset.from_tensor_slices((images, uniforms)).map(crop)
  host = np.stack(list(dataset.as_numpy_iterator()))
  assert host.std() > 0.1
  np.testing.assert_allclose(host, device, rtol=0, atol=_TOLERANCE)


@pytest.mark.parametrize("share", [0.875, 1.0])
@pytest.mark.parametrize(("height", "width"), [(20, 20), (33, 20), (21, 40)])
def test_centre_box_equals_the_device(height, width, share):
  image = np.random.default_rng(0).integers(
    0, 256, (height, width, 3), np.uint8
  )
  box = host_crops.centre_box(tf.constant(height), tf.constant(width), share)
  host = host_crops.resize(host_crops.cut(tf.constant(image), box), 16) / 255.0
  device = _centre_crop(jnp.asarray(image[None]), 16, share)[0]
  np.testing.assert_allclose(host, device, rtol=0, atol=_TOLERANCE)


def test_draw_uniforms_differ_by_each_argument():
  def draw(seed=0, epoch=0, index=0, view=0):
    epoch, index = tf.constant(epoch, tf.int64), tf.constant(index, tf.int64)
    return host_crops.draw_uniforms(seed, epoch, index, view, 10).numpy()

  draws = [draw(), draw(1), draw(epoch=1), draw(index=1), draw(view=1)]
  assert len(np.unique(np.stack(draws))) == 5 * policies.NUM_UNIFORMS
  np.testing.assert_array_equal(draw(), draws[0])


def test_draw_uniforms_are_uniform():
  draws = np.stack(
    [
      host_crops.draw_uniforms(0, tf.constant(0, tf.int64), index, 0, 500)
      for index in tf.range(500, dtype=tf.int64)
    ]
  )
  assert draws.min() >= 0.0
  assert draws.max() < 1.0
  # The standard error of a mean of 500 is 0.013.
  np.testing.assert_allclose(draws.mean(axis=0), 0.5, atol=0.06)


@pytest.mark.parametrize("seed", [(0, 0), (7, 3), (2**40 + 1, 2**55 - 9)])
def test_draw_uniforms_are_the_stateless_ones_of_tensorflow(seed):
  drawn = host_crops.draw_uniforms(
    seed[0] // 2, tf.constant(0, tf.int64), seed[1], seed[0] % 2, 1
  )
  expected = tf.random.stateless_uniform(
    [policies.NUM_UNIFORMS], tf.constant(seed, tf.int64), alg="philox"
  )
  np.testing.assert_array_equal(drawn, expected)


def test_decoding_around_boxes_shows_what_each_alone_shows():
  pixels = np.round(255 * _images(size=64)[-1]).astype(np.uint8)
  encoded = tf.io.encode_jpeg(pixels, quality=95, chroma_downsampling=False)
  boxes = [host_crops.Box(5, 9, 30, 20), host_crops.Box(12, 3, 41, 17)]
  around = host_crops.around(boxes)
  assert tuple(map(int, around)) == (5, 3, 48, 26)
  decoded = host_crops.decode_cut(encoded, around, "INTEGER_FAST")
  for box in boxes:
    alone = host_crops.decode_cut(encoded, box, "INTEGER_FAST")
    shared = host_crops.cut(decoded, host_crops.inside(box, around))
    assert alone.numpy().std() > 10
    np.testing.assert_array_equal(shared, alone)


@pytest.mark.parametrize("drawn", [False, True])
def test_flip_changes_left_and_right_when_drawn(drawn):
  image = np.round(255 * _images()[0]).astype(np.uint8)
  flipped = host_crops.flip(tf.constant(image), tf.constant(drawn))
  np.testing.assert_array_equal(flipped, image[:, ::-1] if drawn else image)
