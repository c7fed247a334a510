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

from benchmarks import timing
from byol_jax import classify, encoders, parallel
from byol_jax.evaluation import recipe
from byol_jax.networks import network
from configs.eval import linear

_CLASSES = 10


def main() -> None:
  """Times both and prints a table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--encoder", default="resnet8")
  parser.add_argument("--width", type=int, default=2)
  parser.add_argument("--image_px", type=int, default=16)
  parser.add_argument("--batch_size", type=int, default=256)
  parser.add_argument("--num_steps", type=int, default=20)
  parser.add_argument("--repeats", type=int, default=3)
  parser.add_argument("--out", default="", help="JSON file to write.")
  arguments = parser.parse_args()
  rows = []
  for cached in (False, True):
    rows += _compare(arguments, cached)
  timing.report(rows, arguments.out)


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
  dim = 512 if cached else 64 * arguments.width
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


def _data(arguments, cached: bool):
  """A batch on the devices, the encoder and its variables."""
  random = np.random.default_rng(0)
  size, px = arguments.batch_size, arguments.image_px
  labels = random.integers(0, _CLASSES, size).astype(np.int32)
  if cached:
    features = random.normal(size=(size, 512)).astype(np.float32)
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
