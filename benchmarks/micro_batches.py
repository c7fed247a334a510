"""A step in one part, in parts of a loop, and in parts written out.

python -m benchmarks.micro_batches

Four parts of a batch go one after the other in both of the latter, and compute
the same; XLA's CPU backend is slow at convolutions inside a loop. The three
take turns in this process; `ratio` is the time over that of the parts written
out, which is what a CPU uses.
"""

import argparse
import os
import statistics
from collections.abc import Callable

import jax
import numpy as np

from benchmarks import timing
from byol_jax import assembly, byol, parallel
from byol_jax.networks import network
from configs import cifar10

_CLASSES = 10


def main() -> None:
  """Times the three and prints a table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--batch_size", type=int, default=32)
  parser.add_argument("--parts", type=int, default=4)
  parser.add_argument("--num_steps", type=int, default=5)
  parser.add_argument("--repeats", type=int, default=3)
  parser.add_argument("--out", default="", help="JSON file to write.")
  arguments = parser.parse_args()
  works = {
    "one part": _runner(arguments, 1, unrolled=False),
    "loop": _runner(arguments, arguments.parts, unrolled=False),
    "written out": _runner(arguments, arguments.parts, unrolled=True),
  }
  walls = timing.interleaved(works, arguments.repeats)
  base = statistics.median(walls["written out"])
  timing.report(
    [
      {
        "step": name,
        "batch": arguments.batch_size,
        "parts": 1 if name == "one part" else arguments.parts,
        "cores": os.cpu_count(),
        "ms a step": 1e3 * statistics.median(times) / arguments.num_steps,
        "ratio": statistics.median(times) / base,
      }
      for name, times in walls.items()
    ],
    arguments.out,
  )


def _runner(arguments, parts: int, unrolled: bool) -> Callable[[], None]:
  """Some updates of the network of `cifar10.py:desk`."""
  config = cifar10.get_config("desk")
  config.training.micro_batches = parts
  spec = assembly.network_spec(config, _CLASSES)
  net = network.make_network(spec, parallel.AXIS)
  optimizer = assembly.make_optimizer(config, lambda step: 0.1)
  schedules = byol.Schedules(lambda step: 0.1, lambda step: 0.99)
  settings = assembly.settings(config)._replace(unrolled=unrolled)
  update = byol.make_update(net, optimizer, schedules, settings)
  key, px = jax.random.key(0), config.data.image_px
  generator = np.random.default_rng(0)
  shape = (arguments.batch_size, px, px, 3)
  batch = parallel.shard(
    {
      name: generator.uniform(size=shape).astype(np.float32)
      for name in ("view1", "view2")
    }
  )
  step = parallel.pmap(lambda state, batch: update(state, batch, key))
  first = parallel.pmap(
    lambda batch: byol.init_state(net, optimizer, key, batch["view1"])
  )(batch)

  def run():
    state = first
    for _ in range(arguments.num_steps):
      state, _ = step(state, batch)
    jax.block_until_ready(state)

  return run


if __name__ == "__main__":
  main()
