"""Every config builds what it names; shapes only, nothing is computed."""

import importlib
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import assembly, byol, describe, parallel, pretrain
from byol_jax.augment import policies
from byol_jax.data import photo_patches, sources

# Config, preset, pictures and classes of its training split.
# Presets 40, 100 and 300 of imagenet differ from 1000 in numbers alone.
CONFIGS = [
  ("cpu", "", None, 10),
  ("imagenet", "1000", 1_281_167, 1000),
  pytest.param("imagenet", "one_gpu", 1_281_167, 1000, marks=pytest.mark.slow),
  ("imagenette", "", 9469, 10),
  ("cifar10", "", 50_000, 10),
  ("cifar10", "desk", 20_000, 10),
  ("stl10", "", 105_000, 0),
  pytest.param("simclr", "1000", 1_281_167, 1000, marks=pytest.mark.slow),
  pytest.param("moco_v2", "200", 1_281_167, 1000, marks=pytest.mark.slow),
  ("folder", "", 20_000, 0),
]


def _config(name, preset=""):
  module = importlib.import_module(f"configs.{name}")
  return module.get_config(preset) if preset else module.get_config()


def _views(config):
  pair = tuple(policies.Policy(**config.augment[x]) for x in ("view1", "view2"))
  return sources.Views(pair, config.data.image_px, config.data.views)


def _batch(config, num_classes):
  """Two pictures for each part of one device's batch."""
  count, px = 2 * config.training.micro_batches, config.data.image_px

  def array(shape, dtype):
    return jax.ShapeDtypeStruct(shape, dtype)

  batch = {"index": array((count,), jnp.int32)}
  if config.data.views == "memory":
    batch["pool_images"] = array((7, px, px, 3), jnp.uint8)
    if num_classes:
      batch["pool_labels"] = array((7,), jnp.int32)
    return batch
  dtype = jnp.float32 if config.data.views == "host" else jnp.uint8
  batch |= {x: array((count, px, px, 3), dtype) for x in ("view1", "view2")}
  if num_classes:
    batch["labels"] = array((count,), jnp.int32)
  return batch


@pytest.mark.parametrize(("name", "preset", "num_images", "classes"), CONFIGS)
def test_config_makes_a_step_of_its_own_shape(
  name, preset, num_images, classes
):
  config = _config(name, preset)
  # To trace a deep network takes seconds.
  with config.unlocked():
    config.network.encoder = "tiny_resnet"
  num_images = num_images or len(photo_patches.load("train").images)
  parts = pretrain.make_parts(config, num_images, classes, _views(config))
  batch = _batch(config, classes)
  state = assembly.state_shapes(config, classes)
  assert jax.tree.leaves(state.online.params)
  new_state, logs = jax.eval_shape(
    parallel.one_device(parts.step), state, batch
  )
  same = jax.tree.map(
    lambda x, y: (x.shape, x.dtype) == (y.shape, y.dtype), new_state, state
  )
  assert all(jax.tree.leaves(same))
  assert logs["loss"].shape == ()
  assert ("train_top1" in logs) == bool(classes)


@pytest.mark.parametrize("views", ["host", "device", "memory"])
def test_shapes_are_those_of_a_fresh_state(views):
  config = _config("cpu")
  config.data.views = views
  with config.unlocked():
    config.network.encoder = "one_conv"
  parts = pretrain.make_parts(config, 3400, 10, _views(config))
  fresh = jax.eval_shape(parallel.one_device(parts.init), _batch(config, 10))
  assert isinstance(fresh, byol.State)
  expected = assembly.state_shapes(config, 10)
  assert jax.tree.structure(fresh) == jax.tree.structure(expected)
  for ours, theirs in zip(
    jax.tree.leaves(fresh), jax.tree.leaves(expected), strict=True
  ):
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)


def test_imagenet_has_the_parameters_of_resnet50():
  params = assembly.state_shapes(_config("imagenet"), 1000).online.params

  def count(prefix):
    return sum(
      math.prod(leaf.shape)
      for module, leaves in params.items()
      for leaf in leaves.values()
      if module.split("/")[0] == prefix
    )

  # torchvision's ResNet-50 without its classifier.
  assert count("res_net50") == 25_557_032 - 2_049_000
  assert count("projector") == 2048 * 4096 + 3 * 4096 + 4096 * 256
  assert count("predictor") == 256 * 4096 + 3 * 4096 + 4096 * 256
  assert count("classifier") == 2048 * 1000 + 1000


def test_describe_says_what_follows(monkeypatch):
  config = _config("imagenet", "300")
  monkeypatch.setattr(
    describe.inputs, "size_and_classes", lambda config: (1_281_167, 1000)
  )
  text = describe.describe(config)
  for fact in (
    "1,281,167, 1000 classes",
    "93,835 of 4,096 images",
    "3,127",
    "peak learning rate  4.8",
    "the encoder 23,508,032",
    "2 on 1 hosts, 4,096 images a host and step",
    # Online and target, momentum and averages of 35.2 million floats.
    "memory a device",
  ):
    assert fact in text


@pytest.mark.parametrize(
  ("preset", "num_steps"),
  [("40", 12_511), ("100", 31_278), ("300", 93_835), ("1000", 312_784)],
)
def test_steps_are_those_of_the_released_code(preset, num_steps):
  lengths = assembly.durations(_config("imagenet", preset), 1_281_167)
  assert lengths.num_steps == num_steps
  assert lengths.num_warmup_steps == 3127


@pytest.mark.parametrize(
  ("preset", "rate"),
  [("40", 7.2), ("100", 7.2), ("300", 4.8), ("1000", 3.2), ("one_gpu", 0.8)],
)
def test_peak_rate_grows_with_the_batch(preset, rate):
  lengths = assembly.durations(_config("imagenet", preset), 1_281_167)
  np.testing.assert_allclose(lengths.peak_rate, rate)
