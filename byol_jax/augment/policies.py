"""The distributions T and T' of the two views, as data.

A policy says how one view is drawn. A draw says what was drawn for one
picture. Both are plain values: the device (JAX) and the host (TensorFlow)
apply the same draws, and nothing here depends on either.
"""

import math
from typing import Any, NamedTuple

# Uniform numbers that one view of one picture consumes.
NUM_UNIFORMS = 15
# The jitter applies its four operations in one of 4! orders.
NUM_ORDERS = 24


class Policy(NamedTuple):
  """How one view is drawn (paper, "Image augmentations").

  Attributes:
    crop_area: lowest and highest share of the picture's area.
    crop_ratio: lowest and highest width over height, drawn log-uniformly.
    flip: probability of a left-right flip.
    jitter: probability of the colour jitter.
    brightness: largest additive shift.
    contrast: largest change of the contrast factor from 1.
    saturation: largest change of the saturation factor from 1.
    hue: largest shift of the hue, in turns.
    grayscale: probability of dropping the colours.
    blur: probability of a Gaussian blur.
    blur_sigma: lowest and highest standard deviation, in pixels.
    blur_divider: the kernel reaches `image size / divider / 2` pixels.
    solarize: probability of inverting the pixels above the threshold.
    solarize_threshold: in [0, 1].
  """

  crop_area: tuple[float, float]
  crop_ratio: tuple[float, float]
  flip: float
  jitter: float
  brightness: float
  contrast: float
  saturation: float
  hue: float
  grayscale: float
  blur: float
  blur_sigma: tuple[float, float]
  blur_divider: float
  solarize: float
  solarize_threshold: float


class CropDraw(NamedTuple):
  """Shape, place and flip of a crop, not yet in pixels.

  Attributes:
    area: share of the picture's area, in `Policy.crop_area`.
    log_ratio: logarithm of width over height.
    top: in [0, 1): where between the highest and the lowest place.
    left: in [0, 1): where between the leftmost and the rightmost place.
    flip: bool.
  """

  area: Any
  log_ratio: Any
  top: Any
  left: Any
  flip: Any


class PhotometryDraw(NamedTuple):
  """What is done to the colours of one crop.

  Attributes:
    jitter: bool, whether the next five apply.
    order: float in [0, 24); its integer part picks the order of operations.
    brightness: added to every pixel.
    contrast: factor around each channel's mean.
    saturation: factor.
    hue: added, in turns.
    grayscale: bool.
    blur: bool.
    sigma: standard deviation of the blur, in pixels.
    solarize: bool.
  """

  jitter: Any
  order: Any
  brightness: Any
  contrast: Any
  saturation: Any
  hue: Any
  grayscale: Any
  blur: Any
  sigma: Any
  solarize: Any


def crop_draw(uniforms: Any, policy: Policy) -> CropDraw:
  """Turns uniform numbers into a crop.

  Args:
    uniforms: [..., NUM_UNIFORMS] float32 in [0, 1): a NumPy, JAX or TensorFlow
      array, since only arithmetic and comparisons are applied to it.
    policy: the view's distribution.

  Returns:
    A `CropDraw` of arrays [...].
  """
  low, high = (math.log(ratio) for ratio in policy.crop_ratio)
  return CropDraw(
    area=_between(uniforms[..., 0], *policy.crop_area),
    log_ratio=_between(uniforms[..., 1], low, high),
    top=uniforms[..., 2],
    left=uniforms[..., 3],
    flip=uniforms[..., 4] < policy.flip,
  )


def photometry_draw(uniforms: Any, policy: Policy) -> PhotometryDraw:
  """Turns uniform numbers into a photometric change.

  Args:
    uniforms: as in `crop_draw`; the same numbers serve both.
    policy: the view's distribution.

  Returns:
    A `PhotometryDraw` of arrays [...].
  """
  return PhotometryDraw(
    jitter=uniforms[..., 5] < policy.jitter,
    order=uniforms[..., 6] * NUM_ORDERS,
    brightness=_around(0.0, uniforms[..., 7], policy.brightness),
    contrast=_around(1.0, uniforms[..., 8], policy.contrast),
    saturation=_around(1.0, uniforms[..., 9], policy.saturation),
    hue=_around(0.0, uniforms[..., 10], policy.hue),
    grayscale=uniforms[..., 11] < policy.grayscale,
    blur=uniforms[..., 12] < policy.blur,
    sigma=_between(uniforms[..., 13], *policy.blur_sigma),
    solarize=uniforms[..., 14] < policy.solarize,
  )


def blur_radius(image_px: int, policy: Policy) -> int:
  """Reach of the blur kernel in pixels: 11 at 224, 1 at 32."""
  return int(image_px / policy.blur_divider / 2)


def _between(uniform: Any, low: float, high: float) -> Any:
  return low + (high - low) * uniform


def _around(centre: float, uniform: Any, reach: float) -> Any:
  return centre + reach * (2.0 * uniform - 1.0)
