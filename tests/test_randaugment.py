import functools

import jax
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from byol_jax.augment import randaugment

# Large enough for several pixels a level and for shares of a pixel to count.
HEIGHT, WIDTH = 30, 70
APPLY = jax.jit(randaugment.apply)


def _pictures():
  """Their levels are neither all there nor equally frequent."""
  rng = np.random.default_rng(0)
  flat = rng.integers(60, 190, (HEIGHT, WIDTH, 3))
  steep = 20 + 215 * rng.beta(0.3, 0.6, (HEIGHT, WIDTH, 3))
  return np.stack([flat, steep]).astype(np.uint8)


def _images():
  return _pictures() / np.float32(255)


def _uniforms(name, side=0.75, count=2):
  """Draws one operation for all pictures; below 0.5 its amount is negative."""
  which = (randaugment.OPERATIONS.index(name) + 0.5) / 14
  return np.tile(np.array([[[which, side]]], np.float32), (count, 1, 1))


def _affine(image, *matrix):
  return image.transform(
    image.size, Image.Transform.AFFINE, matrix, fillcolor=(128,) * 3
  )


def _rotate(image, share):
  return image.rotate(30 * share, fillcolor=(128,) * 3)


def _enhance(which, image, share):
  return which(image).enhance(1 + 0.9 * share)


# From a picture and a share of the range, in [-1, 1].
PILLOW = {
  "identity": lambda image, share: image,
  "autocontrast": lambda image, share: ImageOps.autocontrast(image),
  "equalize": lambda image, share: ImageOps.equalize(image),
  "rotate": _rotate,
  "solarize": lambda image, share: ImageOps.solarize(
    image, 256 * (1 - abs(share))
  ),
  "color": functools.partial(_enhance, ImageEnhance.Color),
  "posterize": lambda image, share: ImageOps.posterize(
    image, 8 - round(4 * abs(share))
  ),
  "contrast": functools.partial(_enhance, ImageEnhance.Contrast),
  "brightness": functools.partial(_enhance, ImageEnhance.Brightness),
  "sharpness": functools.partial(_enhance, ImageEnhance.Sharpness),
  "shear_x": lambda image, share: _affine(image, 1, 0.3 * share, 0, 0, 1, 0),
  "shear_y": lambda image, share: _affine(image, 1, 0, 0, 0.3 * share, 1, 0),
  "translate_x": lambda image, share: _affine(
    image, 1, 0, share * 150 / 331 * WIDTH, 0, 1, 0
  ),
  "translate_y": lambda image, share: _affine(
    image, 1, 0, 0, 0, 1, share * 150 / 331 * HEIGHT
  ),
}
EXACT = ("identity", "equalize", "solarize", "posterize")
WARPS = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("magnitude", [6.3, 10.0])
@pytest.mark.parametrize("name", randaugment.OPERATIONS)
def test_operation_is_that_of_pillow(name, magnitude, sign):
  pictures = _pictures()
  uniforms = _uniforms(name, 0.5 + 0.25 * sign)
  got = np.asarray(APPLY(_images(), uniforms, magnitude))
  assert got.dtype == np.float32
  assert 0.0 <= got.min() <= got.max() <= 1.0
  expected = np.stack(
    [
      np.asarray(PILLOW[name](Image.fromarray(x), sign * magnitude / 10))
      for x in pictures
    ]
  ).astype(np.float32)
  changed = np.abs(expected - pictures).max((1, 2, 3)) > 3
  assert changed.all() == (name != "identity")
  error = np.abs(255 * got - expected)
  if name in WARPS:
    # Pillow's fixed point arithmetic falls on the other side of some edges.
    assert np.mean(error.max(-1) > 1e-3) < 0.01
  else:
    # Pillow rounds what it blends, and the grey that it blends with.
    assert error.max() < (1e-3 if name in EXACT else 2.0)


@pytest.mark.parametrize(
  "name", sorted(set(randaugment.OPERATIONS) - {"autocontrast", "equalize"})
)
def test_magnitude_zero_changes_nothing(name):
  images = np.random.default_rng(1).random(_pictures().shape, np.float32)
  got = APPLY(images, _uniforms(name), 0.0)
  # Tables round to 8 bits.
  atol = 0.5 / 255 + 1e-6 if name in ("solarize", "posterize") else 0
  np.testing.assert_allclose(got, images, rtol=0, atol=atol)


def test_every_picture_has_its_own_operation():
  each = [_uniforms(name) for name in randaugment.OPERATIONS]
  first = np.repeat(_images()[:1], 14, axis=0)
  together = np.asarray(
    APPLY(first, np.concatenate([uniforms[:1] for uniforms in each]), 7.0)
  )
  for number, uniforms in enumerate(each):
    alone = APPLY(_images(), uniforms, 7.0)[:1]
    np.testing.assert_allclose(together[number], alone[0], atol=1e-6)
    others = np.delete(together, number, axis=0)
    assert np.abs(others - alone).max((1, 2, 3)).min() > 0.01


def test_layers_follow_one_another():
  images = _images()
  first, second = _uniforms("brightness"), _uniforms("rotate")
  got = APPLY(images, np.concatenate((first, second), axis=1), 5.0)
  expected = APPLY(APPLY(images, first, 5.0), second, 5.0)
  np.testing.assert_allclose(got, expected, atol=1e-6)
  # Then the grey corners would become brighter, too.
  turned = APPLY(APPLY(images, second, 5.0), first, 5.0)
  assert np.abs(np.asarray(turned) - expected).max() > 0.1


@pytest.mark.parametrize("name", ["autocontrast", "equalize"])
def test_tables_leave_a_flat_channel_alone(name):
  images = _images()
  images[..., 1] = 99 / 255
  got = np.asarray(APPLY(images, _uniforms(name), 10.0))
  assert np.abs(got[..., 0] - images[..., 0]).max() > 0.1
  np.testing.assert_allclose(got[..., 1], 99 / 255, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 1, 3), (1, 1, 2), (2, 2)])
def test_apply_refuses_uniforms_of_another_shape(shape):
  with pytest.raises(AssertionError):
    randaugment.apply(np.zeros((2, 4, 4, 3)), np.zeros(shape), 1.0)
