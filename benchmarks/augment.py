"""How fast the device makes both views, alone, beside the released way.

python -m benchmarks.augment --image_px=32 --batch_size=128
python -m benchmarks.augment --image_px=224 --batch_size=64

`released` and `crops` do the same: the photometry of two views, which is what
`data.views=device` leaves to the device. `pool` is `data.views=memory`: the
crops too. `no blur` is `crops` without it. All take turns; `ratio` is to the
released way. The pictures are random noise, already on the
device; no work depends on what they show.
"""

import argparse
import statistics
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import command, released_augment, timing
from byol_jax.augment import policies, views

_VIEW = policies.Policy(
  crop_area=(0.08, 1.0),
  crop_ratio=(3 / 4, 4 / 3),
  flip=0.5,
  jitter=0.8,
  brightness=0.4,
  contrast=0.4,
  saturation=0.2,
  hue=0.1,
  grayscale=0.2,
  blur=1.0,
  blur_sigma=(0.1, 2.0),
  blur_divider=10.0,
  solarize=0.0,
  solarize_threshold=0.5,
)
# The views of the paper, T and T'.
PAIR = (_VIEW, _VIEW._replace(blur=0.1, solarize=0.2))
_RELEASED = "released"


def main() -> None:
  """Times both kinds of device work and prints a table."""
  arguments = _arguments()
  px, size = arguments.image_px, arguments.batch_size
  works = {name: _work(*pair) for name, pair in _views(px, size).items()}
  times = timing.turns(works, arguments.repeats)
  timing.report(_rows(times, px, size), arguments)


def _arguments() -> argparse.Namespace:
  parser = command.parser(__doc__)
  add = parser.add_argument
  add("--image_px", type=command.count(command.SMALLEST_PX), default=224)
  add("--batch_size", type=command.count(), default=64)
  add("--repeats", type=command.count(), default=10)
  return parser.parse_args()


def _rows(times: dict[str, timing.Times], px: int, size: int) -> list[dict]:
  medians = {name: statistics.median(x.walls) for name, x in times.items()}
  return [
    {
      "work": name,
      "device": jax.devices()[0].device_kind,
      "image_px": px,
      "batch_size": size,
      "milliseconds": 1e3 * medians[name],
      "ratio": medians[name] / medians[_RELEASED],
      **timing.singles(times[name]),
    }
    for name in times
  ]


def _views(px: int, size: int) -> dict[str, tuple[Callable, dict]]:
  """Function of (batch, key), and batch, of each kind of work."""
  images = np.random.default_rng(0).integers(0, 256, (size, px, px, 3))
  images = images.astype(np.uint8)
  index = np.arange(size, dtype=np.int32)
  crops = {"view1": images, "view2": images, "index": index}
  pool = {"pool_images": images, "index": index}
  sharp = tuple(policy._replace(blur=0.0) for policy in PAIR)
  return {
    _RELEASED: (_released, crops),
    "crops": (_ours(PAIR), crops),
    "no blur": (_ours(sharp), crops),
    "pool": (lambda *x: views.views_from_pool(*x, PAIR, px), pool),
  }


def _ours(pair: tuple[policies.Policy, ...]) -> Callable:
  return lambda batch, key: views.views_from_crops(batch, key, pair)


def _released(batch: dict, key: jax.Array) -> dict:
  """The views of the same draws."""
  made = {}
  for number, policy in enumerate(PAIR, start=1):
    images = batch[f"view{number}"].astype(jnp.float32) / 255.0
    view_key = jax.random.fold_in(key, number)
    numbers = (policies.NUM_UNIFORMS,)
    uniforms = views.uniforms(view_key, batch["index"], numbers)
    draw = policies.photometry_draw(uniforms, policy)
    radius = policies.blur_radius(images.shape[1], policy)
    made[f"view{number}"] = released_augment.apply(images, draw, radius)
  return made


def _work(function: Callable, batch: dict) -> Callable[[], None]:
  make, batch, key = jax.jit(function), jax.device_put(batch), jax.random.key(0)
  return lambda: jax.block_until_ready(make(batch, key))


if __name__ == "__main__":
  main()
