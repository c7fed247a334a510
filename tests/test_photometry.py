"""The device's photometry against plain loops over pictures and pixels."""

import colorsys
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import platforms
from byol_jax.augment import photometry, policies

OPERATIONS = ("brightness", "contrast", "saturation", "hue")
NOTHING = policies.PhotometryDraw(
  jitter=False,
  order=0.0,
  brightness=0.0,
  contrast=1.0,
  saturation=1.0,
  hue=0.0,
  grayscale=False,
  blur=False,
  sigma=1.0,
  solarize=False,
)


def _draw(num_images=1, **changes):
  """The same draw for every picture."""
  changed = NOTHING._replace(**changes)
  return jax.tree.map(lambda value: jnp.full((num_images,), value), changed)


def _pictures(num_images, height, width, seed=0):
  generator = np.random.default_rng(seed)
  return generator.random((num_images, height, width, 3), np.float32)


def _apply(images, draw, radius=0, threshold=0.5):
  apply = jax.jit(photometry.apply, static_argnums=(2, 3))
  return np.asarray(apply(jnp.asarray(images), draw, radius, threshold))


def _expected_operation(name, image, draw):
  if name == "brightness":
    return image + draw.brightness
  if name == "contrast":
    mean = image.mean(axis=(0, 1))
    return (image - mean) * draw.contrast + mean
  result = np.empty_like(image)
  for place in np.ndindex(image.shape[:2]):
    hue, saturation, value = colorsys.rgb_to_hsv(*image[place])
    if name == "saturation":
      saturation = min(max(saturation * draw.saturation, 0.0), 1.0)
    else:
      hue = (hue + draw.hue) % 1.0
    result[place] = colorsys.hsv_to_rgb(hue, saturation, value)
  return result


def _expected_blur(image, sigma, radius):
  """Two passes over a picture that continues with zeros."""
  taps = np.arange(-radius, radius + 1)
  weights = np.exp(-(taps**2) / (2.0 * sigma**2))
  weights = weights / weights.sum()
  for axis in (0, 1):
    padding = [(radius, radius) if axis == a else (0, 0) for a in range(3)]
    padded = np.pad(image, padding)
    size = image.shape[axis]
    image = sum(
      weight * padded.take(range(start, start + size), axis)
      for start, weight in enumerate(weights)
    )
  return image


def _expected(image, draw, radius, threshold):
  image = image.astype(np.float64)
  if draw.jitter:
    orders = list(itertools.permutations(OPERATIONS))
    for name in orders[int(draw.order)]:
      image = np.clip(_expected_operation(name, image, draw), 0.0, 1.0)
  if draw.grayscale:
    luma = image @ np.asarray([0.2989, 0.5870, 0.1140])
    image = np.stack([luma, luma, luma], axis=-1)
  if draw.blur:
    image = _expected_blur(image, draw.sigma, radius)
  if draw.solarize:
    image = np.where(image < threshold, image, 1.0 - image)
  return np.clip(image, 0.0, 1.0)


@pytest.mark.parametrize(
  "change",
  [
    {"brightness": 0.4},
    {"brightness": -0.4},
    {"contrast": 1.9},
    {"contrast": 0.6},
    {"saturation": 1.8},
    {"saturation": 0.3},
    {"saturation": 0.0},
    {"hue": 0.1},
    {"hue": -0.45},
  ],
)
def test_each_jitter_operation_follows_its_definition(change):
  images = _pictures(2, 5, 7)
  # A grey, a black, a white and a pure pixel: hue or saturation undefined.
  images[0, 0, :4] = [[0.3] * 3, [0.0] * 3, [1.0] * 3, [0.0, 0.0, 1.0]]
  result = _apply(images, _draw(2, jitter=True, **change))
  name = next(iter(change))
  draw = NOTHING._replace(**change)
  for image, actual in zip(images, result, strict=True):
    expected = np.clip(_expected_operation(name, image, draw), 0.0, 1.0)
    assert np.abs(expected - image).max() > 0.05
    np.testing.assert_allclose(actual, expected, atol=2e-6)


@pytest.mark.parametrize("order", range(24))
def test_jitter_follows_the_order_drawn(order):
  images = _pictures(1, 4, 4)
  changes = {
    "jitter": True,
    "order": order + 0.7,
    "brightness": 0.3,
    "contrast": 1.7,
    "saturation": 1.8,
    "hue": 0.2,
  }
  result = _apply(images, _draw(1, **changes))[0]
  draw = NOTHING._replace(**changes)
  expected = _expected(images[0], draw, radius=0, threshold=0.5)
  np.testing.assert_allclose(result, expected, atol=5e-6)


def test_jitter_depends_on_the_order():
  images = np.repeat(_pictures(1, 4, 4), 24, axis=0)
  draw = _draw(
    24, jitter=True, brightness=0.3, contrast=1.7, saturation=1.8, hue=0.2
  )
  results = _apply(images, draw._replace(order=jnp.arange(24.0)))
  # Saturation and hue commute: the twelve orders that have them side by side
  # make six pictures.
  assert len(np.unique(results.reshape(24, -1).round(4), axis=0)) == 18


def test_hue_by_a_third_of_a_turn_makes_red_green():
  red = np.broadcast_to(np.float32([1.0, 0.0, 0.0]), (1, 2, 2, 3))
  result = _apply(red, _draw(jitter=True, hue=1.0 / 3.0))
  green = np.broadcast_to([0.0, 1.0, 0.0], result.shape)
  np.testing.assert_allclose(result, green, atol=1e-6)


def test_grayscale_copies_the_luma_to_all_channels():
  primaries = np.eye(3, dtype=np.float32)[None, None]
  result = _apply(primaries, _draw(grayscale=True))[0, 0]
  luma = np.asarray([0.2989, 0.5870, 0.1140])
  np.testing.assert_allclose(result, np.stack([luma] * 3, -1), atol=1e-6)


def test_solarize_inverts_from_the_threshold_on():
  values = np.float32([0.0, 0.2, 0.49, 0.5, 0.8, 1.0])
  images = np.broadcast_to(values[None, None, :, None], (1, 1, 6, 3))
  half = _apply(images, _draw(solarize=True))[0, 0, :, 0]
  np.testing.assert_allclose(half, [0, 0.2, 0.49, 0.5, 0.2, 0], atol=1e-6)
  high = _apply(images, _draw(solarize=True), 0, 0.75)[0, 0, :, 0]
  np.testing.assert_allclose(high, [0, 0.2, 0.49, 0.5, 0.2, 0], atol=1e-6)
  low = _apply(images, _draw(solarize=True), 0, 0.1)[0, 0, :, 0]
  np.testing.assert_allclose(low, [0, 0.8, 0.51, 0.5, 0.2, 0], atol=1e-6)


def test_blur_darkens_the_edges_of_a_white_picture():
  white = np.ones((1, 7, 5, 3), np.float32)
  result = _apply(white, _draw(blur=True, sigma=1.0), radius=1)[0, :, :, 1]
  side = np.exp(-0.5) / (1.0 + 2.0 * np.exp(-0.5))
  down, across = np.ones(7), np.ones(5)
  down[[0, -1]] -= side
  across[[0, -1]] -= side
  np.testing.assert_allclose(result, np.outer(down, across), atol=1e-6)


def test_rounding_of_the_blur_does_not_leave_the_range():
  white = np.ones((200, 24, 24, 3), np.float32)
  draw = _draw(200, blur=True)._replace(sigma=jnp.linspace(0.3, 2.0, 200))
  result = _apply(white, draw, radius=8)
  np.testing.assert_allclose(result[:, 12, 12], 1.0, atol=1e-6)
  assert result.max() <= 1.0


@pytest.mark.parametrize(("radius", "sigma"), [(1, 2.0), (3, 0.7), (11, 1.9)])
def test_blur_is_a_zero_padded_convolution(radius, sigma):
  images = _pictures(2, 9, 13)
  result = _apply(images, _draw(2, blur=True, sigma=sigma), radius)
  for image, actual in zip(images, result, strict=True):
    expected = _expected_blur(image, sigma, radius)
    assert np.abs(expected - image).max() > 0.1
    np.testing.assert_allclose(actual, expected, atol=1e-6)


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
def test_blur_of_a_long_side_is_the_same_in_bands(platform):
  images = _pictures(1, 101, 60)
  draw = _draw(blur=True, sigma=5.0)
  with platforms.lowering_for(platform):
    apply = jax.jit(lambda images: photometry.apply(images, draw, 11, 0.5))
    (actual,) = apply(images)
    num_products = str(jax.make_jaxpr(apply)(images)).count("dot_general")
  expected = _expected_blur(images[0], 5.0, 11)
  assert np.abs(expected - images[0]).max() > 0.1
  np.testing.assert_allclose(actual, expected, atol=1e-6)
  # Down in three bands and across in two, or each at once, of each colour.
  assert num_products == {"cpu": 15, "gpu": 6}[platform]


def test_blur_without_reach_does_nothing():
  images = _pictures(1, 4, 4)
  result = _apply(images, _draw(blur=True, sigma=2.0), radius=0)
  np.testing.assert_array_equal(result, images)


def test_skipped_pictures_are_unchanged():
  images = _pictures(3, 8, 6)
  draw = _draw(3, brightness=0.3, contrast=2.0, saturation=0.1, hue=0.3)
  draw = draw._replace(
    jitter=jnp.asarray([False, True, False]),
    blur=jnp.asarray([False, False, True]),
  )
  result = _apply(images, draw, radius=1)
  np.testing.assert_array_equal(result[0], images[0])
  assert np.abs(result[1:] - images[1:]).max(axis=(1, 2, 3)).min() > 0.1


@pytest.mark.parametrize(
  ("height", "width", "radius"), [(12, 12, 1), (9, 14, 3), (6, 4, 0)]
)
def test_whole_chain_equals_the_loops(height, width, radius):
  num_images = 24
  policy = policies.Policy(
    crop_area=(0.08, 1.0),
    crop_ratio=(3 / 4, 4 / 3),
    flip=0.5,
    jitter=0.8,
    brightness=0.4,
    contrast=0.4,
    saturation=0.2,
    hue=0.1,
    grayscale=0.3,
    blur=0.5,
    blur_sigma=(0.1, 2.0),
    blur_divider=10.0,
    solarize=0.3,
    solarize_threshold=0.5,
  )
  generator = np.random.default_rng(radius)
  uniforms = generator.random((num_images, policies.NUM_UNIFORMS), np.float32)
  draws = policies.photometry_draw(uniforms, policy)
  images = _pictures(num_images, height, width, seed=radius)
  result = _apply(images, jax.tree.map(jnp.asarray, draws), radius)
  for n in range(num_images):
    draw = jax.tree.map(lambda values, n=n: values[n], draws)
    expected = _expected(images[n], draw, radius, threshold=0.5)
    np.testing.assert_allclose(result[n], expected, atol=1e-5)
  assert 0.0 <= result.min() < result.max() <= 1.0


def test_photometry_has_neither_branches_nor_convolutions():
  images = jnp.zeros((2, 8, 8, 3))
  traced = jax.make_jaxpr(photometry.apply, static_argnums=(2, 3))(
    images, _draw(2), 1, 0.5
  )
  assert "dot_general" in str(traced)
  for primitive in ("cond[", "while[", "scan[", "conv_general"):
    assert primitive not in str(traced)
