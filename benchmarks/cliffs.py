"""Where XLA's convolutions and pools fall off on a CPU, and the way round.

python -m benchmarks.cliffs --batch_size 64

Every convolution and max-pool that the encoders meet at small sizes, once: the
value and both gradients (a pool's only one), as XLA has them and as
`networks/layers.py` computes them on a CPU, in turns. GFLOP/s counts the
products of pixels inside the picture; a pool's are its comparisons. The floor
is the rate of a large matrix product in the same run. `ratio` is our time over
XLA's, of all three together: 1 where nothing else is done.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from benchmarks import command, timing
from byol_jax import compiler, parallel, platforms
from byol_jax.networks import layers, norms, resnet

# Encoder, stem and side of the picture.
_MET = (
  ("resnet18", "cifar", 32),
  ("resnet18", "imagenet", 32),
  ("resnet18", "imagenet", 64),
  ("resnet50", "cifar", 32),
  ("resnet50", "imagenet", 32),
  ("resnet20", "cifar", 16),
  ("resnet20", "cifar", 24),
  ("resnet20", "cifar", 32),
)
_PRODUCT = 1024


class Layer(NamedTuple):
  """One layer that an encoder meets; a pool has no kernel."""

  px: int
  inputs: int
  outputs: int
  kernel: int
  stride: int


def main() -> None:
  """Times every layer both ways and prints a table."""
  arguments = _arguments()
  compiler.prepare()
  floor = _matrix_rate(arguments.repeats)
  found = sorted({layer for met in _MET for layer in _layers(*met)})
  rows = [
    _row(layer, arguments.batch_size, arguments.repeats)
    for layer in found
    if layer.px <= arguments.max_px
  ]
  timing.report(rows, arguments)
  print(f"A matrix product of {_PRODUCT}: {floor:.0f} GFLOP/s.")


def _arguments() -> argparse.Namespace:
  parser = command.parser(__doc__)
  add = parser.add_argument
  add("--batch_size", type=command.count(), default=64)
  add("--repeats", type=command.count(), default=5)
  limit = "Leave out larger maps."
  add("--max_px", type=command.count(), default=64, help=limit)
  return parser.parse_args()


def _layers(encoder: str, stem: str, px: int) -> set[Layer]:
  """What the encoder meets, found by asking its layers."""
  found = set()

  def watch(next_f, args, kwargs, context):
    out = next_f(*args, **kwargs)
    called = context.method_name == "__call__"
    if called and isinstance(context.module, layers.Conv):
      found.add(_layer_of(context.module, args[0].shape, out.shape))
    return out

  settings = norms.Settings(1, 0.9, 1e-5, parallel.AXIS)
  model = hk.transform_with_state(
    lambda x: resnet.ResNet(
      resnet.ARCHITECTURES[encoder],
      1,
      stem,
      False,
      norms.maker("none", settings),
    )(x, True)
  )
  images = jax.ShapeDtypeStruct((1, px, px, 3), jnp.float32)
  with hk.intercept_methods(watch):
    jax.eval_shape(model.init, jax.random.key(0), images)
  if stem == "imagenet":
    channels = resnet.ARCHITECTURES[encoder].stem_channels
    found.add(Layer(px // 2, channels, channels, 0, 2))
  return found


def _layer_of(module: layers.Conv, inputs: tuple, outputs: tuple) -> Layer:
  (weight,) = module.params_dict().values()
  return Layer(
    px=inputs[1],
    inputs=inputs[3],
    outputs=outputs[3],
    kernel=weight.shape[0],
    stride=-(-inputs[1] // outputs[1]),
  )


def _row(layer: Layer, batch_size: int, repeats: int) -> dict[str, object]:
  """One layer, both ways."""
  ways = {}
  for way, platform in (("xla", "gpu"), ("ours", "cpu")):
    with platforms.lowering_for(platform):
      ways[way] = _compiled(layer, batch_size)
  works = {
    (way, part): work for way, parts in ways.items() for part, work in parts
  }
  seconds = {
    key: statistics.median(walls)
    for key, walls in timing.interleaved(works, repeats).items()
  }
  total = {
    way: sum(x for (other, _), x in seconds.items() if other == way)
    for way in ways
  }
  rates = {
    f"{way}, {part}": _flops(layer, batch_size) / x / 1e9
    for (way, part), x in seconds.items()
  }
  rates.setdefault("xla, weight", 0.0)
  rates.setdefault("ours, weight", 0.0)
  kind = f"{layer.kernel}x{layer.kernel}" if layer.kernel else "pool"
  return {
    "layer": f"{kind}, stride {layer.stride}",
    "map": layer.px,
    "channels": f"{layer.inputs} to {layer.outputs}",
    **rates,
    "ratio": total["ours"] / total["xla"],
  }


def _compiled(
  layer: Layer, batch_size: int
) -> list[tuple[str, Callable[[], None]]]:
  """Value and gradients, as functions that wait for their results."""
  keys = jax.random.split(jax.random.key(0), 3)
  shape = (batch_size, layer.px, layer.px, layer.inputs)
  x = jax.nn.relu(jax.random.normal(keys[0], shape))
  weight = jax.random.normal(
    keys[1], (layer.kernel, layer.kernel, layer.inputs, layer.outputs)
  )

  def value(x, weight):
    if layer.kernel:
      return layers.conv(x, weight, layer.stride)
    return layers.max_pool(x)

  out = jax.eval_shape(value, x, weight)
  gradient = jax.random.normal(keys[2], out.shape)

  def pull(place, x, weight, gradient):
    return jax.vjp(value, x, weight)[1](gradient)[place]

  parts = [
    ("value", jax.jit(value), (x, weight)),
    ("input", jax.jit(functools.partial(pull, 0)), (x, weight, gradient)),
    ("weight", jax.jit(functools.partial(pull, 1)), (x, weight, gradient)),
  ]
  return [
    (name, functools.partial(_wait, function.lower(*args).compile(), args))
    for name, function, args in parts[: 3 if layer.kernel else 2]
  ]


def _wait(function: Callable, args: tuple) -> None:
  jax.block_until_ready(function(*args))


def _flops(layer: Layer, batch_size: int) -> int:
  """Of products inside the picture, or of a pool's comparisons."""
  outputs = -(-layer.px // layer.stride)
  if not layer.kernel:
    return 9 * batch_size * outputs**2 * layer.outputs
  before = max((outputs - 1) * layer.stride + layer.kernel - layer.px, 0) // 2
  taps = sum(
    0 <= window * layer.stride - before + tap < layer.px
    for window in range(outputs)
    for tap in range(layer.kernel)
  )
  return 2 * batch_size * taps**2 * layer.inputs * layer.outputs


def _matrix_rate(repeats: int) -> float:
  """GFLOP/s of a large square product."""
  x = jnp.ones((_PRODUCT, _PRODUCT))
  function = jax.jit(lambda x: x @ x).lower(x).compile()
  walls = []
  for _ in range(repeats + 1):
    start = time.perf_counter()
    _wait(function, (x,))
    walls.append(time.perf_counter() - start)
  return 2 * _PRODUCT**3 / statistics.median(walls) / 1e9


if __name__ == "__main__":
  main()
