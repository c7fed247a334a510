"""JPEG files of ImageNet's usual size, made of embedded photographs."""

import importlib.resources
import io

import numpy as np
from PIL import Image

# Package and path of photographs of things and people.
_PHOTOGRAPHS = (
  ("skimage", "data/astronaut.png"),
  ("skimage", "data/chelsea.png"),
  ("sklearn", "datasets/images/china.jpg"),
  ("skimage", "data/coffee.png"),
  ("sklearn", "datasets/images/flower.jpg"),
  ("skimage", "data/motorcycle_left.png"),
  ("skimage", "data/rocket.jpg"),
)
_WIDTH, _HEIGHT = 500, 375


def make(num_images: int, quality: int) -> list[bytes]:
  """Different cuts out of a few photographs, 500x375 pixels each.

  Args:
    num_images: how many.
    quality: of the JPEG compression, in [1, 95].
  """
  photographs = [_read(package, path) for package, path in _PHOTOGRAPHS]
  return [
    _encoded(
      photographs[n % len(photographs)], np.random.default_rng(n), quality
    )
    for n in range(num_images)
  ]


def _read(package: str, path: str) -> Image.Image:
  content = (importlib.resources.files(package) / path).read_bytes()
  return Image.open(io.BytesIO(content)).convert("RGB")


def _encoded(
  photograph: Image.Image, rng: np.random.Generator, quality: int
) -> bytes:
  """A cut of seven tenths of the photograph's sides or more."""
  share = rng.uniform(0.7, 1.0)
  unit = share * min(photograph.width / _WIDTH, photograph.height / _HEIGHT)
  width, height = int(unit * _WIDTH), int(unit * _HEIGHT)
  left = rng.integers(0, photograph.width - width + 1)
  top = rng.integers(0, photograph.height - height + 1)
  cut = photograph.resize(
    (_WIDTH, _HEIGHT),
    Image.Resampling.LANCZOS,
    box=(left, top, left + width, top + height),
  )
  file = io.BytesIO()
  cut.save(file, "JPEG", quality=quality)
  return file.getvalue()
