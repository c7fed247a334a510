"""Encoders of earlier runs: found in a checkpoint, and used."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from etils import epath

from byol_jax import checkpoint, intact, parallel
from byol_jax.networks import network
from byol_jax.types import Variables

# Of checkpoints from before these were settings.
_BEFORE = {
  "encoder_norm": "batch",
  "norm_groups": 16,
  "weight_standardization": False,
}


class Encoder(NamedTuple):
  """What an evaluation has to know of an encoder.

  Attributes:
    name: for reports: "runs/x, step 3906", "random" or "pixels".
    spec: shape of the network; None for raw pixels.
    image_px: side of the pictures that it takes.
    variables: on the host; None for pixels and before random ones are drawn.
    augment: the config's two views of the training, {} where there are none.
  """

  name: str
  spec: network.EncoderSpec | None
  image_px: int
  variables: Variables | None
  augment: Mapping[str, Any]


def open_encoder(path: str) -> Encoder:
  """Finds the online encoder of a run.

  Args:
    path: a workdir of pretraining, fine-tuning, supervised training or a dense
      task, a folder of checkpoints, or one step in that folder.

  Returns:
    The encoder of the newest whole checkpoint, or of the named step; its shape,
    picture size and normalisation are those of the checkpoint's config.

  Raises:
    CheckpointError: there is no whole checkpoint, or none of an encoder.
  """
  state, config = checkpoint.load_params(_chosen(path))
  owner = state.get("online") or state.get("encoder")
  if not owner or "network" not in config:
    raise checkpoint.CheckpointError(
      f"{path} holds no encoder: its checkpoint has {', '.join(state)}."
    )
  return Encoder(
    name=f"{path}, step {int(state['step'])}",
    spec=spec_of(config["network"]),
    image_px=_image_px(config),
    variables=Variables(
      params=network.encoder_part(owner["params"]),
      stats=network.encoder_part(owner["stats"]),
    ),
    augment=config.get("augment", {}),
  )


def _image_px(config: Mapping[str, Any]) -> int:
  """Size of the pictures; pretraining has it with the data."""
  is_evaluation = "image_px" in config["network"]
  return config["network" if is_evaluation else "data"]["image_px"]


def load_encoder(path: str) -> Callable[[chex.Array], chex.Array]:
  """Loads an encoder as a pure function of pictures.

  Args:
    path: as in `open_encoder`.

  Returns:
    features: pictures [n, height, width, 3], uint8 in [0, 255] or float in
    [0, 1], to [n, channels] float32, the representation that the paper keeps
    (batch norms use their averages). It may be jitted and differentiated. Best
    are squares of the size that the encoder was trained on.

  Raises:
    CheckpointError: as `open_encoder`.
    ValueError: by `features`, the pictures have another shape or type.
  """
  return as_function(open_encoder(path))


def as_function(encoder: Encoder) -> Callable[[chex.Array], chex.Array]:
  """An encoder as the function that `load_encoder` describes.

  Args:
    encoder: with its variables.
  """
  net = network.make_encoder(encoder.spec, parallel.AXIS)
  # Once, not again with every call.
  variables = jax.device_put(encoder.variables)

  def features(images: chex.Array) -> chex.Array:
    outputs, _ = net.apply(variables, as_unit_range(images), False)
    return outputs.representation

  return features


def _chosen(path: str) -> str:
  """Of a sweep's workdir, the folder of the run that it tested."""
  result = intact.read(epath.Path(path) / "results.json")
  has_steps = (epath.Path(path) / checkpoint.FOLDER).is_dir()
  if has_steps or not isinstance(result, dict):
    return path
  return str(epath.Path(path) / result.get("checkpoint", ""))


def draw(
  spec: network.EncoderSpec, key: chex.PRNGKey, images: np.ndarray
) -> Variables:
  """An untrained encoder whose averages are the statistics of some pictures.

  Args:
    spec: shape of the encoder.
    key: of the weights.
    images: [n, height, width, 3] uint8, training pictures.

  Returns:
    Variables on the host, the same on all hosts for the same pictures.
  """
  net = network.make_encoder(spec, parallel.AXIS)
  init = jax.jit(parallel.one_device(lambda x: net.init(key, x)))
  return jax.device_get(init(as_unit_range(images)))


def with_norm_decay(variables: Variables, decay: float) -> Variables:
  """Lets batch norms go on with another decay from the averages they have.

  Haiku divides what it has summed up by 1 - decay ** steps: after few steps,
  another decay would make other averages of the same sum.

  Args:
    variables: of an encoder; averages that never moved stay as they are.
    decay: share of the old average that one batch keeps.
  """

  def rescaled(module):
    if "hidden" not in module:
      return module
    weight = 1.0 - decay ** np.asarray(module["counter"], np.float32)
    hidden = np.asarray(module["average"]) * weight
    moved = np.asarray(module["counter"]) > 0
    return {**module, "hidden": np.where(moved, hidden, module["hidden"])}

  stats = {name: rescaled(module) for name, module in variables.stats.items()}
  return variables._replace(stats=stats)


def spec_of(section: Mapping[str, Any]) -> network.EncoderSpec:
  """The encoder's shape in a config's `network` section.

  Args:
    section: with the fields of `EncoderSpec` and perhaps more; tuples may have
      become lists.
  """
  known = {**_BEFORE, **section}
  values = {name: known[name] for name in network.EncoderSpec._fields}
  return network.EncoderSpec(
    **{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
  )


def fingerprint(variables: Variables | None) -> str:
  """A short text that differs for other weights; empty without any."""
  digest = hashlib.sha256()
  for leaf in jax.tree.leaves(variables):
    digest.update(np.ascontiguousarray(leaf).tobytes())
  return digest.hexdigest()[:12] if jax.tree.leaves(variables) else ""


def as_unit_range(images: chex.Array) -> chex.Array:
  """Pictures as float32 in [0, 1].

  Args:
    images: [n, height, width, 3], uint8 in [0, 255] or float in [0, 1].

  Raises:
    ValueError: another shape or type.
  """
  if not hasattr(images, "ndim"):
    raise ValueError(
      "Pictures must be an array [n, height, width, 3], not a"
      f" {type(images).__name__}."
    )
  if images.ndim != 4 or images.shape[-1] != 3:
    raise ValueError(
      f"Pictures must be [n, height, width, 3], not {list(images.shape)}."
    )
  if images.dtype == jnp.uint8:
    return jnp.asarray(images, jnp.float32) / 255.0
  if not jnp.issubdtype(images.dtype, jnp.floating):
    raise ValueError(
      "Pictures must be uint8 in [0, 255] or floats in [0, 1], not"
      f" {images.dtype}."
    )
  return jnp.asarray(images, jnp.float32)
