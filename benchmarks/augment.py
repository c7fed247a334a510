"""How fast the device makes both views, alone.

python -m benchmarks.augment --image_px=32 --batch_size=128

`crops` is what `data.views=device` leaves to the device: the photometry of two
views. `pool` is `data.views=memory`: the crops too. The pictures are random
noise, already on the device; no work depends on what they show.
"""

import argparse

import jax
import numpy as np

from benchmarks import timing
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


def main() -> None:
  """Times both kinds of device work and prints a table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--image_px", type=int, default=224)
  parser.add_argument("--batch_size", type=int, default=64)
  parser.add_argument("--repeats", type=int, default=10)
  parser.add_argument("--out", default="", help="JSON file to write.")
  arguments = parser.parse_args()
  px, size = arguments.image_px, arguments.batch_size
  rows = [
    {
      "work": name,
      "device": jax.devices()[0].device_kind,
      "image_px": px,
      "batch_size": size,
      **_timed(function, batch, size, arguments.repeats),
    }
    for name, function, batch in _works(px, size)
  ]
  timing.report(rows, arguments.out)


def _works(px: int, size: int):
  """Name, function of (batch, key), and batch of each kind of work."""
  images = np.random.default_rng(0).integers(0, 256, (size, px, px, 3))
  images = images.astype(np.uint8)
  index = np.arange(size, dtype=np.int32)
  yield (
    "crops",
    lambda batch, key: views.views_from_crops(batch, key, PAIR),
    {"view1": images, "view2": images, "index": index},
  )
  yield (
    "pool",
    lambda batch, key: views.views_from_pool(batch, key, PAIR, px),
    {"pool_images": images, "index": index},
  )


def _timed(function, batch, size, repeats) -> dict[str, float]:
  make, batch, key = jax.jit(function), jax.device_put(batch), jax.random.key(0)
  return timing.measure(
    lambda: jax.block_until_ready(make(batch, key)), size, repeats
  )


if __name__ == "__main__":
  main()
