"""Checkpoints of tiny encoders, as runs leave them, but without a run."""

import functools
import json

import jax
import numpy as np
import tiny

from byol_jax import checkpoint, encoders
from byol_jax.types import Variables

IMAGE_PX = 8
STEP = 7


def pictures(count=6, image_px=IMAGE_PX):
  rng = np.random.default_rng(count)
  return rng.integers(0, 256, (count, image_px, image_px, 3)).astype(np.uint8)


def settings():
  return json.loads(tiny.config(data__image_px=IMAGE_PX).to_json())


@functools.cache
def drawn():
  """An untrained encoder; to draw it takes seconds of compilation."""
  spec = encoders.spec_of(settings()["network"])
  return encoders.draw(spec, jax.random.key(0), pictures())


def variables(shift=0.0):
  """Those weights, or others."""
  return jax.tree.map(
    lambda leaf: leaf + np.asarray(shift, leaf.dtype), drawn()
  )


def save(workdir, state, config=None):
  """Writes a state as the checkpoint of a step."""
  folder = str(workdir / checkpoint.FOLDER)
  with checkpoint.open_manager(folder, keep=5) as manager:
    config_json = json.dumps(config or settings())
    checkpoint.save(manager, int(state["step"]), state, config_json)
    manager.wait_until_finished()


def save_encoder(workdir, owner="online", step=STEP, shift=0.0):
  """Writes an encoder and returns its variables.

  Args:
    workdir: of the run that there was not.
    owner: "online" for pretraining, "encoder" for fine-tuning.
    step: of the checkpoint.
    shift: added to the weights.
  """
  encoder = variables(shift)
  params = dict(encoder.params)
  if owner == "online":
    params["projector/linear"] = {"w": np.ones((16, 8), np.float32)}
  whole = Variables(params, encoder.stats)
  save(workdir, {"step": np.int32(step), owner: whole})
  return encoder
