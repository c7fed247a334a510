"""Processor time of the host for both views of a JPEG file.

taskset -c 0 python -m benchmarks.input_pipeline --out=input.json

Files: 500x375 pixels, cut out of embedded photographs, held in memory, so that
no disk is measured. Views: the paper's, 224 pixels, the same crops and flips
for all. Everything runs on one thread, the contenders taking turns; the
processor's milliseconds a picture are what to compare, and they divide the
cores. `ratio` is to the released way.

- released: each view decoded alone, resized in float32, kept so; with its
  layout for TPUs, which puts the batch last; with the colours on the host.
- decode: what no way can do without.
- ours: what training does for `data.views=device` and `host`, and the parts of
  the former, each with those before it.
- PIL: as PyTorch's users have it: decode, crop, bicubic resize with
  antialiasing, flip, array. No process is started and nothing sent.

The last line compares ours with the released pictures.
"""

import argparse

import numpy as np

from benchmarks import command, input_ways, jpegs, timing


def main() -> None:
  """Times all ways and prints a table and a comparison."""
  arguments = _arguments()
  files = jpegs.make(arguments.num_images, arguments.quality)
  works = input_ways.works(files, arguments.batch_size)
  times = timing.turns(works, arguments.repeats)
  timing.report(_rows(times, files), arguments)
  print(_difference(files))


def _arguments() -> argparse.Namespace:
  parser = command.parser(__doc__)
  add = parser.add_argument
  add("--num_images", type=command.count(), default=192)
  add("--batch_size", type=command.count(), default=64)
  add("--quality", type=command.count(1, 95), default=90)
  add("--repeats", type=command.count(), default=7)
  return parser.parse_args()


def _rows(times: dict[str, timing.Times], files: list[bytes]) -> list[dict]:
  medians = {name: np.median(x.processors) for name, x in times.items()}
  return [
    {
      "work": name,
      "image_px": input_ways.IMAGE_PX,
      "kilobytes_per_file": round(np.mean([len(x) for x in files]) / 1e3),
      "cpu_ms_per_image": float(1e3 * medians[name] / len(files)),
      "ratio": float(medians[name] / medians[input_ways.RELEASED]),
      **timing.singles(times[name]),
    }
    for name in times
  ]


def _difference(files: list[bytes]) -> str:
  """How far ours lies from the released pictures, same crops and flips."""
  ours, theirs = input_ways.both(files)
  far = np.abs(ours - 255.0 * theirs)
  worst = far.mean(axis=(2, 3, 4)).max()
  return (
    f"Mean difference from the released views {far.mean():.3f} / 255; of the"
    f" picture that differs most {worst:.3f} / 255."
  )


if __name__ == "__main__":
  main()
