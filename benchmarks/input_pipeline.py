"""How fast the host makes both views of JPEG files of ImageNet's size.

python -m benchmarks.input_pipeline --out=input.json

The files are generated: smooth colours with noise, 500x375 pixels, about as
large as ImageNet's. They are kept in memory, so that no disk is measured. Each
picture is decoded and cropped twice to 224 pixels, with the paper's views.
`cpu_ms_per_image` on one core is what to compare; it grows with other work on
the same machine much less than the images a second do.
"""

import argparse
import io
import os

import numpy as np
from PIL import Image

from benchmarks import augment, timing
from byol_jax.data import pipeline, sources

_WIDTH, _HEIGHT, _IMAGE_PX = 500, 375, 224


def main() -> None:
  """Times both kinds of host work and prints a table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--num_images", type=int, default=256)
  parser.add_argument("--batch_size", type=int, default=64)
  parser.add_argument("--repeats", type=int, default=5)
  parser.add_argument("--out", default="", help="JSON file to write.")
  arguments = parser.parse_args()
  source = _source(arguments.num_images)
  rows = [
    {
      "views": where,
      "cores": os.cpu_count(),
      "kilobytes_per_file": _mean_size(source) / 1e3,
      **_timed(source, where, arguments.batch_size, arguments.repeats),
    }
    for where in ("device", "host")
  ]
  timing.report(rows, arguments.out)


def _timed(source, where, batch_size, repeats) -> dict[str, float]:
  views = sources.Views(augment.PAIR, _IMAGE_PX, where)
  reader = sources.Reader(0, batch_size, 0, 1)
  num_steps = source.num_images // batch_size
  batches = pipeline.train_batches(source, views, reader, 0)

  def epoch():
    for _ in range(num_steps):
      next(batches)

  return timing.measure(epoch, num_steps * batch_size, repeats)


def _source(num_images: int) -> sources.EncodedSource:
  files = [_jpeg(np.random.default_rng(i)) for i in range(num_images)]
  return sources.EncodedSource(
    num_images=num_images,
    labels=np.zeros([0], np.int32),
    class_names=(),
    read=files.__getitem__,
    name=str,
    is_plain_jpeg=np.ones([num_images], bool),
  )


def _jpeg(rng: np.random.Generator) -> bytes:
  """Blotches of colour and fine noise, at a camera's quality."""
  blotches = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
  smooth = blotches.resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC)
  noise = rng.normal(0.0, 12.0, (_HEIGHT, _WIDTH, 1))
  pixels = np.clip(np.asarray(smooth) + noise, 0, 255).astype(np.uint8)
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, "JPEG", quality=90)
  return file.getvalue()


def _mean_size(source: sources.EncodedSource) -> float:
  sizes = [len(source.read(i)) for i in range(source.num_images)]
  return sum(sizes) / len(sizes)


if __name__ == "__main__":
  main()
