"""A step in one part, in parts of a loop, and in parts written out.

python -m benchmarks.micro_batches --parts 2 4
python -m benchmarks.micro_batches --encoder=resnet8 --batch_size=32 --loop

The parts of a batch go one after the other, in a loop or written out, and
compute the same; batch statistics are a part's own. A CPU gets them written
out: XLA's CPU backend is slow at convolutions inside a loop (`--loop` shows it,
and takes long). All take turns in this process; `clock` and `processor` are the
times over those of one part, medians over the turns. `smaller steps` are as
many whole steps of a part's size: what small pieces of work cost by themselves.
"""

import argparse
import statistics
from collections.abc import Callable

import jax
import numpy as np

from benchmarks import command, our_step, timing
from byol_jax import assembly, byol, compiler, parallel

_ONE = "one part"


def main() -> None:
  """Times all and prints a table."""
  arguments = _arguments()
  compiler.prepare()
  works = {(_ONE, 1): _runner(arguments, 1)}
  for parts in arguments.parts:
    works["written out", parts] = _runner(arguments, parts)
    works["smaller steps", parts] = _smaller(arguments, parts)
    if arguments.loop:
      works["loop", parts] = _loop(arguments, parts)
  times = timing.turns(works, arguments.repeats)
  base = times[_ONE, 1]
  timing.report(
    [
      {
        "step": name,
        "encoder": arguments.encoder,
        "stem": arguments.stem,
        "px": arguments.image_px,
        "batch": arguments.batch_size,
        "parts": parts,
        "ms a step": 1e3 * statistics.median(found.walls),
        "clock": _ratio(found.walls, base.walls),
        "processor": _ratio(found.processors, base.processors),
        **timing.singles(found),
      }
      for (name, parts), found in times.items()
    ],
    arguments,
  )


def _arguments() -> argparse.Namespace:
  parser = command.parser(__doc__)
  add, count = parser.add_argument, command.count
  add("--encoder", choices=our_step.ENCODERS, default="resnet18")
  add("--stem", default="cifar", choices=("imagenet", "cifar"))
  add("--image_px", type=count(command.SMALLEST_PX), default=32)
  add("--batch_size", type=count(), default=128)
  add("--hidden", type=count(), default=4096, help="Of the heads.")
  add("--parts", type=count(2), nargs="+", default=[2, 4])
  add("--loop", action="store_true", help="Also in a loop.")
  add("--num_steps", type=count(), default=1, help="In one timed call.")
  add("--repeats", type=count(), default=5)
  arguments = parser.parse_args()
  with command.refusing():
    for parts in (1, *arguments.parts):
      our_step.check(_choice(arguments)._replace(parts=parts), 1)
  return arguments


def _ratio(times: list[float], base: list[float]) -> float:
  """Median of the ratios of each turn, which load disturbs alike."""
  return statistics.median(x / y for x, y in zip(times, base, strict=True))


def _smaller(arguments, parts: int) -> Callable[[], None]:
  """The same pictures in whole steps of a part's size."""
  run = our_step.build(
    _choice(arguments)._replace(batch_size=arguments.batch_size // parts),
    jax.devices()[:1],
  ).run
  return lambda: run(parts * arguments.num_steps)


def _runner(arguments, parts: int) -> Callable[[], None]:
  choice = _choice(arguments)._replace(parts=parts)
  run = our_step.build(choice, jax.devices()[:1]).run
  return lambda: run(arguments.num_steps)


def _loop(arguments, parts: int) -> Callable[[], None]:
  """As training would run it if this were no CPU, but on this CPU."""
  config = our_step.make_config(_choice(arguments)._replace(parts=parts))
  net = assembly.make_network(config, 0)
  optimizer = assembly.make_optimizer(config, lambda step: 0.1)
  schedules = byol.Schedules(lambda step: 0.1, lambda step: 0.99)
  settings = assembly.settings(config)._replace(unrolled=False)
  update = byol.make_update(net, optimizer, schedules, settings)
  shape = (2, 1, arguments.batch_size, *(arguments.image_px,) * 2, 3)
  views = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
  batch = dict(zip(("view1", "view2"), views, strict=True))
  key = jax.random.key(0)

  def init(batch):
    return byol.init_state(net, optimizer, key, batch["view1"][:8], settings)

  device = jax.devices()[:1]
  step = parallel.pmap(lambda state, x: update(state, x, key), devices=device)
  first = parallel.pmap(init, devices=device)(batch)

  def run():
    state = first
    for _ in range(arguments.num_steps):
      state, _ = step(state, batch)
    jax.block_until_ready(state)

  return run


def _choice(arguments) -> our_step.Choice:
  return our_step.Choice(
    encoder=arguments.encoder,
    stem=arguments.stem,
    image_px=arguments.image_px,
    batch_size=arguments.batch_size,
    hidden=arguments.hidden,
    views="none",
  )


if __name__ == "__main__":
  main()
