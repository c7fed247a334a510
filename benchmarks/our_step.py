"""The update step of a run, built as training builds it, on random pictures."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import ml_collections
import numpy as np

from byol_jax import config as config_lib
from byol_jax import inputs as inputs_lib
from byol_jax import lowering, parallel, pretrain
from byol_jax.networks import resnet
from byol_jax.types import Batch
from configs import cifar10, imagenet

ENCODERS = tuple(resnet.ARCHITECTURES)
_COLOURS = ("jitter", "grayscale", "blur", "solarize")


class Choice(NamedTuple):
  """What differs between steps; all else is in the config of the stem.

  Attributes:
    encoder: a key of `resnet.ARCHITECTURES`.
    stem: "imagenet" or "cifar", with that config's views and optimizer.
    image_px: side of the views, and of the pictures they are cut out of.
    batch_size: images a step, all devices together.
    width: factor on the encoder's channels.
    hidden: width of the heads' hidden layers.
    projection_dim: width of projection and prediction.
    compute_dtype: "float32" or "bfloat16".
    views: who makes them: "memory" or "device", or "none" for what is cut and
      coloured already, uint8 on the device before the step, or "host" for the
      same in float32.
    num_images: of the data set.
    parts: `training.micro_batches`.
  """

  encoder: str
  stem: str
  image_px: int
  batch_size: int
  width: int = 1
  hidden: int = 4096
  projection_dim: int = 256
  compute_dtype: str = "float32"
  views: str = "device"
  num_images: int = 50_000
  parts: int = 1


class Ours(NamedTuple):
  """A step that is ready to run.

  Attributes:
    run: makes so many updates and waits for the last.
    lowered: the program before the compiler.
    compiled: and after it.
    compile_secs: from the one to the other, and tracing.
    num_params: of the online network.
  """

  run: Callable[[int], None]
  lowered: jax.stages.Lowered
  compiled: jax.stages.Compiled
  compile_secs: float
  num_params: int


def make_config(choice: Choice) -> ml_collections.ConfigDict:
  """The config of the stem with what is chosen, unlabelled."""
  make = {"imagenet": imagenet, "cifar": cifar10}[choice.stem].get_config
  config = make()
  config.data.labelled = False
  config.data.image_px = choice.image_px
  config.data.views = "device" if choice.views == "none" else choice.views
  if choice.views == "none":
    for view in (config.augment.view1, config.augment.view2):
      view.update(dict.fromkeys(_COLOURS, 0.0))
  config.network.encoder = choice.encoder
  config.network.width_multiplier = choice.width
  config.network.projector_hidden = (choice.hidden,)
  config.network.predictor_hidden = (choice.hidden,)
  config.network.projection_dim = choice.projection_dim
  config.training.batch_size = choice.batch_size
  config.training.micro_batches = choice.parts
  config.training.compute_dtype = choice.compute_dtype
  config.evaluation.batch_size = choice.batch_size
  return config


def check(choice: Choice, num_devices: int) -> None:
  """Refuses a step before anything is built.

  Raises:
    ValueError: the choice makes no valid config.
  """
  config = make_config(choice)
  config_lib.validate(config, num_devices)
  lowering.num_steps(config, _sizes(choice))


def lower(choice: Choice, devices: Sequence[jax.Device]) -> jax.stages.Lowered:
  """Traces the step for some devices, which may be described only.

  Raises:
    ValueError: the choice makes no valid config.
  """
  check(choice, len(devices))
  return lowering.lower(make_config(choice), _sizes(choice), tuple(devices))


def build(choice: Choice, devices: Sequence[jax.Device]) -> Ours:
  """Compiles the step and makes a state and a batch for it.

  Args:
    choice: what to build.
    devices: that share a batch.

  Raises:
    ValueError: the choice makes no valid config.
  """
  start = time.perf_counter()
  lowered = lower(choice, devices)
  compiled = lowered.compile()
  compile_secs = time.perf_counter() - start
  config, sizes = make_config(choice), _sizes(choice)
  views = inputs_lib.make_views(config)
  parts = pretrain.make_parts(
    config, sizes.num_images, 0, views, lowering.hosts(devices)
  )
  shapes = lowering.batch_shapes(config, sizes, len(devices))
  batch = parallel.pmap(lambda x: x, devices=devices)(
    _pictures(shapes, len(devices))
  )
  state = parallel.pmap(parts.init, devices=devices)(batch)
  num_params = sum(x[0].size for x in jax.tree.leaves(state.online.params))
  state = parallel.pmap(parts.shards.cut_state, devices=devices)(state)
  held = [state]  # Each step takes the memory of the state before.

  def run(num_steps):
    for _ in range(num_steps):
      held[0], metrics = compiled(held[0], batch)
    jax.block_until_ready((held[0], metrics))

  return Ours(run, lowered, compiled, compile_secs, num_params)


def peak_bytes(compiled: jax.stages.Compiled) -> int:
  """Memory of a device that the step takes, as the compiler planned it."""
  memory = compiled.memory_analysis()
  return (
    memory.argument_size_in_bytes
    + memory.output_size_in_bytes
    - memory.alias_size_in_bytes
    + memory.temp_size_in_bytes
  )


def _sizes(choice: Choice) -> lowering.Sizes:
  return lowering.Sizes(choice.num_images, 0, choice.image_px)


def _pictures(shapes: Batch, num_devices: int) -> dict[str, np.ndarray]:
  """A random batch of such shapes, with a leading axis of devices."""
  generator = np.random.default_rng(0)
  made = {}
  for name, x in shapes.items():
    shape = (num_devices, *x.shape)
    values = generator.integers(0, 256, shape, np.int32)
    if x.dtype == np.float32:
      values = values / 255.0
    made[name] = values.astype(x.dtype)
  # Different pictures, all of them in the pool.
  count = made["index"].size
  made["index"] = np.arange(count, dtype=np.int32).reshape(num_devices, -1)
  return made
