"""Settings drawn at random: each set works, or is refused in one sentence."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import assembly, parallel, pretrain
from byol_jax import config as config_lib
from byol_jax.augment import policies
from byol_jax.data import sources
from tests import tiny

NORMS = ("batch", "layer", "group", "none", "affine")
CHOICES = {
  "network.encoder_norm": NORMS,
  "network.projector_norm": NORMS,
  "network.predictor_norm": NORMS,
  "network.weight_standardization": (False, True),
  "network.projector_output_norm": (False, True),
  "network.head_bias": (False, True),
  "network.norm_groups": (4, 16),
  "network.predictor": ("mlp", "none", "least_squares"),
  "network.projector_hidden": ((), (16,), (32, 16)),
  "network.predictor_hidden": ((), (16,), (12,)),
  "objective.negative_weight": (0.0, 0.5, 1.0),
  "objective.negatives": ("batch", "queue"),
  "objective.queue_size": (336, 400),
  "objective.normalization": ("l2", "l2", "layer", "batch", "none"),
  "objective.symmetric": (True, False),
  "target.kind": ("moving_average", "stop_gradient", "online", "fixed"),
  "target.constant": (False, True),
  "optimizer.name": ("lars", "sgd", "adamw"),
  "optimizer.projector_multiplier": (1.0, 2.0),
  "optimizer.predictor_multiplier": (1.0, 1.0, 0.0),
  "training.micro_batches": (1, 3),
  "augment.set": ("baseline", "no_color", "crop_only"),
}
NUM_CLASSES = 3


def draw(seed):
  generator = np.random.default_rng(seed)
  found = {
    key: values[generator.integers(len(values))]
    for key, values in CHOICES.items()
  }
  return {k.replace(".", "__"): v for k, v in found.items()}


def trace(config):
  """The shapes of the state before and after a step, and its logs."""
  pair = tuple(policies.Policy(**config.augment[x]) for x in ("view1", "view2"))
  views = sources.Views(pair, config.data.image_px, "memory")
  parts = pretrain.make_parts(config, tiny.NUM_IMAGES, NUM_CLASSES, views)
  batch = {
    "index": jax.ShapeDtypeStruct((tiny.BATCH_SIZE,), jnp.int32),
    "pool_images": jax.ShapeDtypeStruct((9, 16, 16, 3), jnp.uint8),
    "pool_labels": jax.ShapeDtypeStruct((9,), jnp.int32),
  }
  state = assembly.state_shapes(config, NUM_CLASSES)
  return state, *jax.eval_shape(parallel.one_device(parts.step), state, batch)


def validated(seed):
  config = tiny.config(**draw(seed))
  config_lib.validate(config, 1)
  return config


def sorted_out(count):
  """The first seeds that are allowed, and the first that are not."""
  allowed, refused = [], []
  for seed in itertools.count():
    if min(len(allowed), len(refused)) >= count:
      return allowed[:count], refused[:count]
    try:
      validated(seed)
      allowed.append(seed)
    except ValueError:
      refused.append(seed)


ALLOWED, REFUSED = sorted_out(12)


@pytest.mark.parametrize("seed", ALLOWED)
def test_what_is_allowed_makes_a_step(seed):
  before, after, logs = trace(validated(seed))
  shapes = [
    [(x.shape, x.dtype) for x in jax.tree.leaves(s)] for s in (before, after)
  ]
  assert shapes[0] == shapes[1]
  assert jax.tree.structure(before) == jax.tree.structure(after)
  assert {"loss", "regression_loss", "projection_std"} <= set(logs)


@pytest.mark.parametrize("seed", REFUSED)
def test_what_is_refused_is_one_sentence(seed):
  with pytest.raises(ValueError, match=r"^[a-z_.]+=?\S* .*\.$") as error:
    validated(seed)
  assert "\n" not in str(error.value)
