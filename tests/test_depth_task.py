"""Depth as a task: data, network, loss and scores together."""

import jax
import numpy as np
import pytest
from PIL import Image

from byol_jax import config as config_lib
from byol_jax import encoders, parallel
from byol_jax.dense import (
  depth,
  division,
)
from byol_jax.depth import losses
from byol_jax.networks import dense
from configs.eval import depth as depth_config
from tests import tiny_depth


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
  """Five pictures whose brightness is their number, and their depth too."""
  root = tmp_path_factory.mktemp("pairs")
  for folder in ("images", "depth"):
    (root / folder).mkdir()
  for number in range(5):
    values = np.full((80, 100), 40 * (number + 1), np.uint8)
    name = f"{number:05d}"
    rgb = np.repeat(values[:, :, None], 3, axis=2)
    Image.fromarray(rgb).save(root / "images" / f"{name}.png")
    # Nothing is known of the left half, which a flip must follow.
    values[:, :50] = 0
    Image.fromarray(values).save(root / "depth" / f"{name}.png")
  return str(root)


@pytest.fixture(scope="module")
def desk(pairs):
  """Config, task and batch of the smallest network."""
  config = tiny_depth.config(**{"data.train_path": pairs})
  task = depth.make(config, encoders.spec_of(config.network))
  source = depth.open_part(config, "train")
  return config, task, next(task.train_batches(source, 0))


def test_every_preset_is_valid_with_its_data(pairs):
  paths = {"data.train_path": pairs}
  config_lib.validate(tiny_depth.config(**paths), 2)
  config_lib.validate(
    tiny_depth.config("nyu", **paths, **{"data.test_path": pairs}), 2
  )
  config_lib.validate(tiny_depth.config("nyu_tfds"), 2)


@pytest.mark.parametrize(
  ("preset", "changes", "message"),
  [
    ("nyu_desk", {"depth.loss": "reverse_huber"}, "needs metres"),
    ("nyu_tfds", {"depth.loss": "scale_invariant"}, "learns no scale"),
    ("nyu_tfds", {"depth.image_px": (44, 48)}, "cannot be larger"),
    ("nyu_tfds", {"data.test_share": 0.5}, "has its own parts: 0.5"),
    ("nyu", {}, "data.test_path='' and data.test_share=0.0"),
  ],
)
def test_settings_that_contradict_each_other_are_refused(
  preset, changes, message
):
  with pytest.raises(ValueError, match=message):
    config_lib.validate(tiny_depth.config(preset, **changes), 2)


def test_an_unknown_preset_is_refused():
  with pytest.raises(ValueError, match="has the presets nyu, nyu_tfds"):
    depth_config.get_config("kitti")


def test_what_is_enlarged_is_nearer(pairs):
  # Depth is 1 or unknown: relative, each picture's largest.
  config = tiny_depth.config(**{"data.train_path": pairs, "depth.zoom": 2.0})
  task = depth.make(config, encoders.spec_of(config.network))
  batches = task.train_batches(depth.open_part(config, "train"), 0)
  known = np.concatenate([next(batches)["depth"].ravel() for _ in range(4)])
  known = known[known > 0]
  assert known.min() < 0.7
  assert known.max() <= 1.0
  assert known.min() >= 0.5


def test_the_last_pictures_are_the_test(pairs):
  config = tiny_depth.config(
    **{"data.train_path": pairs, "data.test_share": 0.4}
  )
  names = [
    [source.name(i)[-9:-4] for i in range(source.num_images)]
    for source in (depth.open_part(config, x) for x in ("train", "test"))
  ]
  assert names == [["00000", "00001", "00002"], ["00003", "00004"]]


def test_rates_are_chosen_by_the_last_pictures_of_the_training_part(pairs):
  changes = {
    "data.train_path": pairs,
    "data.test_share": 0.2,
    "data.hold_out_images": 2,
    "optimizer.learning_rates": (0.1, 0.2),
  }
  parts = division.open_parts(tiny_depth.config(**changes), depth)
  names = [
    [source.name(i)[-9:-4] for i in range(source.num_images)]
    for source in (parts.train, parts.valid)
  ]
  assert names == [["00000", "00001"], ["00002", "00003"]]


def test_the_baseline_is_the_mean_of_what_is_known(pairs):
  # Metres: 0.2, 0.4, 0.6 train, 0.8 and 1.0 test, all in the right half.
  config = tiny_depth.config(
    **{
      "data.train_path": pairs,
      "data.test_share": 0.4,
      "data.depth_scale": 0.005,
    }
  )
  task = depth.make(config, encoders.spec_of(config.network))
  found = task.baseline(
    *(depth.open_part(config, x) for x in ("train", "test"))
  )
  assert found["rms"] == pytest.approx(np.sqrt((0.4**2 + 0.6**2) / 2))
  assert found["rel"] == pytest.approx((0.4 / 0.8 + 0.6 / 1.0) / 2)


def test_a_part_without_a_path_is_refused():
  with pytest.raises(ValueError, match=r"data\.test_path is empty: name a"):
    depth.open_part(tiny_depth.config("nyu"), "test")


def test_training_batches_have_the_size_of_the_networks_output(desk):
  config, task, batch = desk
  assert batch["images"].shape == (2, 36, 48, 3)
  assert batch["images"].dtype == np.uint8
  spec = encoders.spec_of(config.network)
  functions = depth.make_network(config, spec)
  outputs, _ = jax.eval_shape(
    parallel.one_device(
      lambda v, x: functions.apply(v, x / 255.0, dense.TRAINING)
    ),
    jax.eval_shape(task.init, jax.random.key(0)),
    batch["images"],
  )
  # 36x48 is 2x2 features at a stride of 32, and one block doubles.
  assert batch["depth"].shape == outputs.shape == (2, 4, 4)


def test_flips_move_picture_and_depth_together(pairs):
  config = tiny_depth.config(**{"data.train_path": pairs, "depth.flip": 1.0})
  task = depth.make(config, encoders.spec_of(config.network))
  batch = next(task.train_batches(depth.open_part(config, "train"), 0))
  # Of each map the right half was known.
  assert (batch["depth"][:, :, :2] == 1.0).all()
  assert (batch["depth"][:, :, 2:] == 0.0).all()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_training_computes_in_the_type_that_is_asked_for(desk, dtype):
  config, task, batch = desk
  config = config.copy_and_resolve_references()
  config.training.compute_dtype = dtype
  typed = depth.make(config, encoders.spec_of(config.network))
  variables = jax.eval_shape(task.init, jax.random.key(0))

  def text(modes):
    def loss(variables):
      return typed.loss(variables, batch, jax.random.key(0), modes)[0]

    return str(jax.make_jaxpr(parallel.one_device(loss))(variables))

  assert ("bf16" in text(dense.TRAINING)) == (dtype == "bfloat16")
  assert "bf16" not in text(dense.INFERENCE)


def test_photometry_changes_the_loss_and_nothing_else_does(desk):
  config, task, batch = desk
  plain = config.copy_and_resolve_references()
  plain.depth.update(brightness=0.0, saturation=0.0, hue=0.0, grayscale=0.0)
  spec = encoders.spec_of(config.network)
  tasks = (task, depth.make(plain, spec))
  functions = depth.make_network(config, spec)

  def found(batch):
    variables = functions.init(jax.random.key(0), batch["images"] / 255.0)
    outputs, _ = functions.apply(
      variables, batch["images"] / 255.0, dense.TRAINING
    )
    expected = losses.scale_invariant(
      outputs, batch["depth"], 1.0, parallel.AXIS
    )
    key = jax.random.key(1)
    changed, unchanged = (
      task.loss(variables, batch, key, dense.TRAINING)[0] for task in tasks
    )
    return changed, unchanged, expected

  changed, unchanged, expected = jax.jit(parallel.one_device(found))(batch)
  assert expected > 1e-3
  np.testing.assert_allclose(unchanged, expected, rtol=1e-4)
  assert abs(changed / expected - 1.0) > 0.01
