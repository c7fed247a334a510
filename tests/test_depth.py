"""Depth: losses, scores and pictures against hand-made cases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import parallel
from byol_jax.depth import colours, losses, scores


def _maps(seed, count=4):
  rng = np.random.default_rng(seed)
  return rng.uniform(0.5, 4.0, (count, 3, 5)).astype(np.float32)


def _over_two_devices(loss, *arrays):
  """Mean of the devices' shares, and its gradient by the first array."""

  def total(x, *rest):
    return loss(x, *rest, parallel.AXIS)

  wide = [x.reshape(2, -1, *x.shape[1:]) for x in arrays]
  values, grads = parallel.pmap(jax.value_and_grad(total))(*wide)
  return np.mean(values), np.asarray(grads).reshape(arrays[0].shape) / 2


def _reverse_huber(prediction, depth):
  residual = np.abs(prediction - depth)[depth > 0].astype(np.float64)
  threshold = 0.2 * residual.max()
  quadratic = (residual**2 + threshold**2) / (2 * threshold)
  return np.where(residual <= threshold, residual, quadratic).mean()


def test_reverse_huber_is_the_mean_over_known_pixels_of_all_devices():
  prediction, depth = _maps(0), _maps(1)
  # The two devices know different numbers of pixels.
  depth[0], depth[3, :2] = 0.0, 0.0
  value, _ = _over_two_devices(losses.reverse_huber, prediction, depth)
  np.testing.assert_allclose(
    value, _reverse_huber(prediction, depth), rtol=1e-5
  )


def test_reverse_huber_takes_the_threshold_from_all_devices():
  # Of the first device alone, 2 would lie far beyond the threshold.
  depth = np.ones((2, 1, 2), np.float32)
  prediction = depth + np.array([[[2.0, 0.0]], [[10.0, 0.0]]], np.float32)
  value, _ = _over_two_devices(losses.reverse_huber, prediction, depth)
  # c = 2: |2| = 2, and (100 + 4) / 4 = 26; over four pixels.
  np.testing.assert_allclose(value, (2.0 + 26.0) / 4, rtol=1e-6)


def test_reverse_huber_has_a_slope_of_one_then_of_the_residual_over_c():
  depth = np.ones((2, 1, 2), np.float32)
  depth[1, 0, 1] = 0.0
  prediction = np.array([[[2.0, 0.0]], [[11.0, 7.0]]], np.float32)
  _, slope = _over_two_devices(losses.reverse_huber, prediction, depth)
  # Residuals 1, -1 and 10 of three known pixels; c = 2.
  expected = np.array([[[1.0, -1.0]], [[10.0 / 2.0, 0.0]]]) / 3
  np.testing.assert_allclose(slope, expected, rtol=1e-6)


@pytest.mark.parametrize(
  "loss",
  [
    losses.reverse_huber,
    lambda x, y, axis: losses.scale_invariant(x, y, 1.0, axis),
  ],
)
@pytest.mark.parametrize("depth", [0.0, 1.0])
def test_losses_are_finite_without_residuals_or_known_pixels(loss, depth):
  depth = np.full((2, 1, 2), depth, np.float32)
  value, slope = _over_two_devices(loss, np.copy(depth), depth)
  assert value == 0.0
  assert np.isfinite(slope).all()


def _scale_invariant(log_prediction, depth, invariance):
  """Eigen et al., equation 4, picture by picture."""
  found = []
  for own, true in zip(log_prediction, depth, strict=True):
    d = own[true > 0] - np.log(true[true > 0])
    if d.size:
      found.append((d**2).mean() - invariance * d.sum() ** 2 / d.size**2)
  return np.mean(found)


@pytest.mark.parametrize("invariance", [0.0, 0.5, 1.0])
def test_scale_invariant_is_the_equation_of_eigen(invariance):
  prediction, depth = _maps(0), _maps(1)
  depth[0], depth[2, 1:] = 0.0, 0.0

  def loss(x, y, axis):
    return losses.scale_invariant(x, y, invariance, axis)

  value, _ = _over_two_devices(loss, prediction, depth)
  np.testing.assert_allclose(
    value, _scale_invariant(prediction, depth, invariance), rtol=1e-4
  )


@pytest.mark.parametrize(("invariance", "same"), [(1.0, True), (0.5, False)])
def test_scale_invariant_ignores_each_pictures_factor(invariance, same):
  prediction, depth = _maps(0), _maps(1)
  factors = np.array([0.1, 2.0, 5.0, 0.7], np.float32)[:, None, None]

  def loss(y):
    return parallel.one_device(
      lambda x, y: losses.scale_invariant(x, y, invariance, parallel.AXIS)
    )(jnp.asarray(prediction), jnp.asarray(y))

  assert loss(depth) > 0.1
  assert bool(np.isclose(loss(depth), loss(factors * depth), 1e-4)) is same


def test_scores_of_a_hand_made_map():
  depth = np.array([[1.0, 2.0], [4.0, 0.0]])
  # Ratios 1.2, 1.5 and 2 (of which 1.25^3 = 1.953 is less).
  prediction = np.array([[1.2, 3.0], [2.0, 9.0]])
  found = scores.scores(scores.picture_sums(prediction, depth))
  expected = {
    "delta1": 1 / 3,
    "delta2": 2 / 3,
    "delta3": 2 / 3,
    "rms": np.sqrt((0.2**2 + 1.0 + 4.0) / 3),
    "rel": (0.2 + 0.5 + 0.5) / 3,
    "scale_invariant": np.std(np.log([1.2, 1.5, 0.5])),
  }
  assert found == pytest.approx(expected)


def test_scores_count_pixels_of_all_pictures_alike():
  depth = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
  prediction = np.array([[1.0, 1.0, 1.0], [3.0, 0.0, 0.0]])
  sums = [
    scores.picture_sums(x[None], y[None])
    for x, y in zip(prediction, depth, strict=True)
  ]
  found = scores.scores(np.sum(sums, axis=0))
  assert found["rel"] == pytest.approx(2.0 / 4)
  assert found["delta3"] == pytest.approx(3 / 4)


def test_scores_take_what_is_behind_the_camera_for_the_nearest():
  depth = np.array([[1.0]])
  found = scores.scores(scores.picture_sums(np.array([[-5.0]]), depth))
  assert found["rel"] == pytest.approx(1.0 - scores.NEAREST)


def test_scores_need_a_known_pixel():
  with pytest.raises(ValueError, match="No test picture has a pixel"):
    scores.scores(scores.picture_sums(np.ones((1, 2)), np.zeros((1, 2))))


def test_scaled_predictions_have_the_median_of_the_known_truth():
  prediction = np.array([[1.0, 2.0, 3.0, 100.0]])
  depth = np.array([[5.0, 6.0, 9.0, 0.0]])
  np.testing.assert_allclose(scores.scaled(prediction, depth), 3.0 * prediction)


def test_colours_have_one_scale_for_both_maps():
  truth = np.array([[1.0, 2.0, 3.0, 0.0]])
  true, found = colours.painted(truth, np.array([[3.0, 2.0, 1.0, 9.0]]))
  np.testing.assert_array_equal(found[0, :3], true[0, 2::-1])
  np.testing.assert_array_equal(true[0, 3], 0.0)
  # Beyond the truth's range is drawn as its end.
  np.testing.assert_array_equal(found[0, 3], true[0, 2])
  assert len(np.unique(true[0], axis=0)) == 4
