"""Evaluations of an encoder that was never trained, in seconds."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np

from byol_jax import assembly, byol, checkpoint, parallel
from byol_jax.networks import network
from tests import tiny

NUM_CLASSES = 3

SETTINGS = {
  "data.source": "photo_patches",
  "data.sets": (),
  "data.views": "memory",
  "data.hold_out": "balanced",
  "data.hold_out_share": 0.2,
  "evaluation.batch_size": 256,
  "evaluation.crop_share": 1.0,
}
TRAINING = {
  "training.batch_size": 256,
  "training.num_epochs": (0.6,),
  "optimizer.learning_rates": (0.5, 0.1),
  "log_every": 2,
}


def save_encoder(workdir):
  """Writes the checkpoint of a pretraining that made no step.

  Returns:
    The config and the state on the host.
  """
  config = tiny.config()
  net = network.make_network(
    assembly.network_spec(config, NUM_CLASSES), parallel.AXIS
  )
  optimizer = assembly.make_optimizer(config, lambda step: 0.1)
  px = config.data.image_px
  images = np.random.default_rng(0).uniform(size=(4, px, px, 3))
  init = parallel.one_device(
    lambda x: byol.init_state(net, optimizer, jax.random.key(0), x)
  )
  state = jax.device_get(jax.jit(init)(jnp.asarray(images, jnp.float32)))
  folder = workdir / checkpoint.FOLDER
  with checkpoint.open_manager(str(folder), keep=1) as manager:
    checkpoint.save(manager, 0, state, config.to_json_best_effort())
  return config, state


def config(name, encoder, preset="", changes=()):
  """A config of configs/eval, made small, with other values by dotted key."""
  module = importlib.import_module(f"configs.eval.{name}")
  made = module.get_config(preset) if preset else module.get_config()
  small = {**SETTINGS, "encoder": str(encoder)}
  if made.protocol == "classify":
    small |= TRAINING
  if made.protocol == "knn":
    small["data.hold_out"] = "none"
  small |= dict(changes)
  with made.unlocked():
    made.update_from_flattened_dict(small)
  return made
