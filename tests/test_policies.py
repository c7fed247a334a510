"""The draws against the distributions they are meant to have."""

import numpy as np
import pytest

from byol_jax.augment import policies

POLICY = policies.Policy(
  crop_area=(0.08, 1.0),
  crop_ratio=(3 / 4, 4 / 3),
  flip=0.5,
  jitter=0.8,
  brightness=0.4,
  contrast=0.3,
  saturation=0.2,
  hue=0.1,
  grayscale=0.2,
  blur=0.1,
  blur_sigma=(0.1, 2.0),
  blur_divider=10.0,
  solarize=0.25,
  solarize_threshold=0.5,
)
NUM_DRAWS = 10_000


def _uniforms():
  generator = np.random.default_rng(0)
  return generator.random((NUM_DRAWS, policies.NUM_UNIFORMS), np.float32)


@pytest.mark.parametrize(
  ("name", "low", "high"),
  [
    ("area", 0.08, 1.0),
    ("log_ratio", np.log(3 / 4), np.log(4 / 3)),
    ("top", 0.0, 1.0),
    ("left", 0.0, 1.0),
    ("order", 0.0, 24.0),
    ("brightness", -0.4, 0.4),
    ("contrast", 0.7, 1.3),
    ("saturation", 0.8, 1.2),
    ("hue", -0.1, 0.1),
    ("sigma", 0.1, 2.0),
  ],
)
def test_draws_are_uniform_over_their_range(name, low, high):
  uniforms = _uniforms()
  draws = {
    **policies.crop_draw(uniforms, POLICY)._asdict(),
    **policies.photometry_draw(uniforms, POLICY)._asdict(),
  }
  shares = (draws[name] - low) / (high - low)
  counts, _ = np.histogram(shares, bins=10, range=(-1e-6, 1.0 + 1e-6))
  assert counts.sum() == NUM_DRAWS
  # Each tenth holds 1000 with a standard deviation of 30.
  np.testing.assert_allclose(counts, NUM_DRAWS / 10, atol=150)


@pytest.mark.parametrize(
  ("name", "probability"),
  [
    ("flip", 0.5),
    ("jitter", 0.8),
    ("grayscale", 0.2),
    ("blur", 0.1),
    ("solarize", 0.25),
  ],
)
def test_draws_happen_as_often_as_the_policy_says(name, probability):
  uniforms = _uniforms()
  draws = {
    **policies.crop_draw(uniforms, POLICY)._asdict(),
    **policies.photometry_draw(uniforms, POLICY)._asdict(),
  }
  deviation = np.sqrt(probability * (1.0 - probability) / NUM_DRAWS)
  assert abs(draws[name].mean() - probability) < 4 * deviation


@pytest.mark.parametrize(("probability", "expected"), [(0.0, 0.0), (1.0, 1.0)])
def test_draws_with_probability_zero_or_one_are_certain(probability, expected):
  policy = POLICY._replace(
    flip=probability,
    jitter=probability,
    grayscale=probability,
    blur=probability,
    solarize=probability,
  )
  uniforms = _uniforms()
  crop = policies.crop_draw(uniforms, policy)
  photometry = policies.photometry_draw(uniforms, policy)
  coins = (
    crop.flip,
    photometry.jitter,
    photometry.grayscale,
    photometry.blur,
    photometry.solarize,
  )
  np.testing.assert_array_equal(np.mean(coins, axis=1), expected)


def test_draws_are_independent_of_each_other():
  uniforms = _uniforms()
  crop = policies.crop_draw(uniforms, POLICY)
  photometry = policies.photometry_draw(uniforms, POLICY)
  draws = np.asarray([*crop, *photometry], np.float64)
  assert draws.shape == (policies.NUM_UNIFORMS, NUM_DRAWS)
  correlations = np.corrcoef(draws) - np.eye(policies.NUM_UNIFORMS)
  assert np.abs(correlations).max() < 0.05


def test_every_order_is_drawn_and_none_beyond():
  order = policies.photometry_draw(_uniforms(), POLICY).order
  assert set(order.astype(int)) == set(range(policies.NUM_ORDERS))
  highest = np.full((policies.NUM_UNIFORMS,), np.nextafter(np.float32(1), 0))
  last = policies.photometry_draw(highest.astype(np.float32), POLICY).order
  assert int(last) == policies.NUM_ORDERS - 1


@pytest.mark.parametrize(
  ("image_px", "divider", "radius"),
  [(224, 10.0, 11), (128, 10.0, 6), (32, 10.0, 1), (16, 10.0, 0), (32, 5.0, 3)],
)
def test_blur_radius_is_half_a_share_of_the_picture(image_px, divider, radius):
  policy = POLICY._replace(blur_divider=divider)
  assert policies.blur_radius(image_px, policy) == radius
