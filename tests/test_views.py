"""Both ways of making views on the device."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax.augment import crops, photometry, policies, views

FIRST = policies.Policy(
  crop_area=(0.08, 1.0),
  crop_ratio=(3 / 4, 4 / 3),
  flip=0.5,
  jitter=0.8,
  brightness=0.4,
  contrast=0.4,
  saturation=0.2,
  hue=0.1,
  grayscale=0.2,
  blur=1.0,
  blur_sigma=(0.1, 2.0),
  blur_divider=5.0,
  solarize=0.0,
  solarize_threshold=0.5,
)
PAIR = (FIRST, FIRST._replace(blur=0.1, solarize=0.2))
NOTHING = FIRST._replace(
  crop_area=(1.0, 1.0),
  crop_ratio=(1.0, 1.0),
  flip=0.0,
  jitter=0.0,
  grayscale=0.0,
  blur=0.0,
)
IMAGE_PX = 12


def _pictures(num_images, size=IMAGE_PX, seed=0):
  generator = np.random.default_rng(seed)
  shape = (num_images, size, size, 3)
  return jnp.asarray(generator.integers(0, 256, shape, np.uint8))


def _crops_batch(num_images=8):
  return {
    "view1": _pictures(num_images, seed=1),
    "view2": _pictures(num_images, seed=2),
    "index": jnp.arange(num_images) * 7 + 3,
    "labels": jnp.arange(num_images),
  }


def _pool_batch(index):
  return {
    "pool_images": _pictures(20, size=16),
    "pool_labels": jnp.arange(20) % 5,
    "index": jnp.asarray(index),
  }


@functools.partial(jax.jit, static_argnames="pair")
def _from_crops(batch, key, pair=PAIR):
  return views.views_from_crops(batch, key, pair)


@functools.partial(jax.jit, static_argnames=("pair", "image_px"))
def _from_pool(batch, key, pair=PAIR, image_px=IMAGE_PX):
  return views.views_from_pool(batch, key, pair, image_px)


@functools.partial(jax.jit, static_argnames="policy")
def _expected_photometry(image, uniforms, policy):
  draw = policies.photometry_draw(uniforms, policy)
  return photometry.apply(image[None], draw, 1, 0.5)[0]


@functools.partial(jax.jit, static_argnames="policy")
def _expected_crop(image, uniforms, policy):
  box = crops.box(policies.crop_draw(uniforms, policy), *image.shape[:2])
  return crops.crop_and_resize(image[None], box, IMAGE_PX)[0]


def _expected_uniforms(key, number, index):
  own = jax.random.fold_in(jax.random.fold_in(key, number), index)
  return jax.random.uniform(own, (1, policies.NUM_UNIFORMS))


def _difference(one, other):
  return float(jnp.abs(one - other).max())


def test_views_from_crops_are_float_pictures_in_range():
  batch = _crops_batch()
  made = _from_crops(batch, jax.random.key(0))
  assert set(made) == set(batch)
  for name in ("view1", "view2"):
    assert made[name].dtype == jnp.float32
    assert made[name].shape == batch[name].shape
    assert 0.0 <= made[name].min() < made[name].max() <= 1.0
    assert _difference(made[name], batch[name] / 255.0) > 0.1
  np.testing.assert_array_equal(made["index"], batch["index"])
  np.testing.assert_array_equal(made["labels"], batch["labels"])


def test_views_from_crops_are_the_photometry_of_their_uniforms():
  batch = _crops_batch()
  key = jax.random.key(5)
  made = _from_crops(batch, key)
  for number, policy in zip((1, 2), PAIR, strict=True):
    name = f"view{number}"
    for n, index in enumerate(batch["index"]):
      uniforms = _expected_uniforms(key, number, index)
      image = batch[name][n] / 255.0
      expected = _expected_photometry(image, uniforms, policy)
      np.testing.assert_allclose(made[name][n], expected, atol=1e-5)


def test_views_from_pool_gather_crop_and_change():
  key = jax.random.key(3)
  batch = _pool_batch([4, 19, 0, 7])
  made = _from_pool(batch, key)
  assert set(made) == {"view1", "view2", "index", "labels"}
  np.testing.assert_array_equal(made["index"], [4, 19, 0, 7])
  np.testing.assert_array_equal(made["labels"], [4, 4, 0, 2])
  for number, policy in zip((1, 2), PAIR, strict=True):
    for n, index in enumerate(batch["index"]):
      uniforms = _expected_uniforms(key, number, index)
      image = _expected_crop(batch["pool_images"][index], uniforms, policy)
      expected = _expected_photometry(image, uniforms, policy)
      actual = made[f"view{number}"][n]
      np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_views_from_an_unlabelled_pool_have_no_labels():
  batch = _pool_batch([1, 2])
  del batch["pool_labels"]
  made = _from_pool(batch, jax.random.key(0))
  assert set(made) == {"view1", "view2", "index"}


def test_policies_that_change_nothing_return_the_pictures():
  batch = _pool_batch([3, 11])
  pair = (NOTHING, NOTHING)
  made = _from_pool(batch, jax.random.key(0), pair, 16)
  expected = batch["pool_images"][batch["index"]] / 255.0
  np.testing.assert_allclose(made["view1"], expected, atol=1e-6)
  np.testing.assert_allclose(made["view2"], expected, atol=1e-6)


def test_each_view_follows_its_own_policy():
  solarized = NOTHING._replace(solarize=1.0)
  batch = _crops_batch()
  made = _from_crops(batch, jax.random.key(0), (NOTHING, solarized))
  original = batch["view2"] / 255.0
  inverted = jnp.where(original < 0.5, original, 1.0 - original)
  np.testing.assert_allclose(made["view1"], batch["view1"] / 255.0, atol=1e-6)
  np.testing.assert_allclose(made["view2"], inverted, atol=1e-6)


def test_both_views_of_a_picture_are_drawn_independently():
  batch = _crops_batch()
  batch["view2"] = batch["view1"]
  same = (FIRST, FIRST)
  made = _from_crops(batch, jax.random.key(0), same)
  distance = jnp.abs(made["view1"] - made["view2"]).max(axis=(1, 2, 3))
  assert float(distance.min()) > 0.01


def test_views_depend_on_the_key_and_on_the_index():
  batch = _pool_batch([5] * 4)
  first = _from_pool(batch, jax.random.key(0))["view1"]
  np.testing.assert_array_equal(first[0], first[3])
  second = _from_pool(batch, jax.random.key(1))["view1"]
  assert _difference(first, second) > 0.01
  crops_batch = _crops_batch()
  crops_batch["view1"] = jnp.repeat(crops_batch["view1"][:1], 8, axis=0)
  spread = _from_crops(crops_batch, jax.random.key(0))["view1"].std(axis=0)
  assert float(spread.max()) > 0.01


def test_one_view_is_the_first_of_two():
  key = jax.random.key(4)
  batch = _pool_batch([4, 19, 0, 7])
  both = _from_pool(batch, key)
  alone = _from_pool(batch, key, PAIR[:1])
  assert set(alone) == {"view1", "index", "labels"}
  assert _difference(alone["view1"], both["view2"]) > 0.1
  np.testing.assert_allclose(alone["view1"], both["view1"], atol=1e-6)


def test_one_view_needs_no_crops_of_a_second():
  batch = _crops_batch()
  del batch["view2"]
  made = _from_crops(batch, jax.random.key(0), (NOTHING,))
  assert set(made) == {"view1", "index", "labels"}
  np.testing.assert_allclose(made["view1"], batch["view1"] / 255.0, atol=1e-6)


def test_crop_and_flip_leave_the_colours_alone():
  plain = NOTHING._replace(flip=1.0)
  batch = _pool_batch([3, 11])
  made = _from_pool(batch, jax.random.key(0), (plain,), 16)
  expected = batch["pool_images"][batch["index"]][:, :, ::-1] / 255.0
  np.testing.assert_allclose(made["view1"], expected, atol=1e-6)


@pytest.mark.parametrize("make", ["crops", "pool"])
def test_views_do_not_depend_on_how_the_batch_is_divided(make):
  key = jax.random.key(2)
  whole = _crops_batch() if make == "crops" else _pool_batch(range(3, 11))
  function = _from_crops if make == "crops" else _from_pool
  together = function(whole, key)
  for half in (slice(0, 4), slice(4, 8)):
    part = {
      name: value if name.startswith("pool") else value[half]
      for name, value in whole.items()
    }
    alone = function(part, key)
    for name in ("view1", "view2"):
      np.testing.assert_allclose(alone[name], together[name][half], atol=1e-6)


def test_no_gradient_flows_through_the_views():
  def total(pool):
    batch = {"pool_images": pool, "index": jnp.arange(2)}
    made = _from_pool(batch, jax.random.key(0))
    return (made["view1"] + made["view2"]).sum()

  pool = _pictures(2) / 255.0
  value, gradient = jax.value_and_grad(total)(pool)
  assert float(value) > 1.0
  np.testing.assert_array_equal(gradient, 0.0)


def test_parts_of_a_batch_share_the_pool():
  batch = {
    "index": jnp.arange(6),
    "pool_images": jnp.ones((9, 4, 4, 3)),
    "labels": jnp.arange(6) + 10,
  }
  parts, shared = views.split(batch, 3)
  np.testing.assert_array_equal(parts["index"], [[0, 1], [2, 3], [4, 5]])
  np.testing.assert_array_equal(parts["labels"][1], [12, 13])
  assert set(shared) == {"pool_images"}
