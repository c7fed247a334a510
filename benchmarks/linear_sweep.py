"""Five linear classifiers side by side, beside five trainings of one.

python -m benchmarks.linear_sweep

Both train the same five classifiers for the same steps: once on pictures that
the frozen encoder sees anew in every step (crop and flip leave nothing to
cache), and once on features that are known. The two take turns in this process;
`ratio` is the time of the five single runs over that of the stacked one.
"""

import argparse
import os
import statistics
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import command, timing
from byol_jax import classify, encoders, parallel
from byol_jax.evaluation import recipe
from byol_jax.networks import network, resnet
from configs.eval import linear

_CLASSES = 10
_FEATURES = 512  # Dimensions of those that are known.


def main() -> None:
  """Times both and prints a table."""
  arguments = _arguments()
  rows = []
  for cached in (False, True):
    rows += _compare(arguments, cached)
  timing.report(rows, arguments)


def _arguments() -> argparse.Namespace:
  parser = command.parser(__doc__)
  add = parser.add_argument
  add("--encoder", choices=[*resnet.ARCHITECTURES], default="resnet8")
  add("--width", type=command.count(), default=2)
  add("--image_px", type=command.count(command.SMALLEST_PX), default=16)
  add("--batch_size", type=command.count(), default=256)
  add("--num_steps", type=command.count(), default=20)
  add("--repeats", type=command.count(), default=3)
  arguments = parser.parse_args()
  if arguments.batch_size % jax.device_count():
    parser.error(
      f"argument --batch_size: {arguments.batch_size} cannot be divided by"
      f" {jax.device_count()} devices"
    )
  return arguments


def _compare(arguments, cached: bool) -> list[dict]:
  rates = linear.get_config().optimizer.learning_rates
  stacked = _runner(arguments, rates, cached)
  singles = [_runner(arguments, (rate,), cached) for rate in rates]
  works = {
    "stacked": stacked,
    "five single": lambda: [single() for single in singles],
  }
  found = timing.turns(works, arguments.repeats)
  fastest = statistics.median(found["stacked"].walls)
  return [
    {
      "input": "features" if cached else "pictures",
      "sweep": name,
      "steps": arguments.num_steps,
      "batch": arguments.batch_size,
      "cores": os.cpu_count(),
      "seconds": statistics.median(times.walls),
      "slowest_seconds": max(times.walls),
      "ratio": statistics.median(times.walls) / fastest,
      **timing.singles(times),
    }
    for name, times in found.items()
  ]


def _runner(arguments, rates, cached: bool) -> Callable[[], None]:
  """A training of so many heads, from a fresh state."""
  config = linear.get_config()
  point = recipe.Point(tuple(rates), 0.0, 1.0)
  factor = recipe.schedule(config, arguments.num_steps, 1)
  batch, net, variables = _data(arguments, cached)
  dim = _FEATURES if cached else _channels(arguments)
  heads = classify.init_heads(jax.random.key(0), dim, _CLASSES, len(rates))
  state = classify.State(jnp.zeros([], jnp.int32), variables, heads, ())
  params = classify.trained(state, frozen=True)
  optimizer = recipe.optimizer(config, point, factor, params)
  state = state._replace(opt_state=optimizer.init(params))
  update = classify.make_update(
    net, optimizer, recipe.objective(config), frozen=True
  )
  step = parallel.pmap(update, donate=True)

  def run():
    current = parallel.replicate(state)
    for _ in range(arguments.num_steps):
      current, metrics = step(current, batch)
    jax.block_until_ready(metrics)

  return run


def _channels(arguments) -> int:
  """Of the encoder's representation."""
  architecture = resnet.ARCHITECTURES[arguments.encoder]
  last = (architecture.stem_channels, *architecture.channels)[-1]
  return last * arguments.width


def _data(arguments, cached: bool):
  """A batch on the devices, the encoder and its variables."""
  random = np.random.default_rng(0)
  size, px = arguments.batch_size, arguments.image_px
  labels = random.integers(0, _CLASSES, size).astype(np.int32)
  if cached:
    features = random.normal(size=(size, _FEATURES)).astype(np.float32)
    return parallel.shard({"features": features, "labels": labels}), None, ()
  images = random.uniform(size=(size, px, px, 3)).astype(np.float32)
  section = linear.get_config().network.to_dict()
  section |= {
    "encoder": arguments.encoder,
    "width_multiplier": arguments.width,
    "stem": "cifar",
  }
  spec = encoders.spec_of(section)
  variables = encoders.draw(spec, jax.random.key(1), images[:32])
  net = network.make_encoder(spec, parallel.AXIS)
  return parallel.shard({"view1": images, "labels": labels}), net, variables


if __name__ == "__main__":
  main()
