"""RandAugment (Cubuk et al. 2019, arXiv 1909.13719) for supervised baselines.

Each layer picks one of 14 operations for each picture, all equally likely. One
magnitude holds for all: 0 changes nothing but what `autocontrast` and
`equalize` do, 10 goes to the end of each operation's range. The ranges are
those of AutoAugment (arXiv 1805.09501, table 6), which RandAugment takes over:

| operation                                | magnitude 10                     |
|------------------------------------------|----------------------------------|
| rotate                                   | +-30 degrees                     |
| shear_x, shear_y                         | +-0.3                            |
| translate_x, translate_y                 | +-150/331 of the side            |
| color, contrast, brightness, sharpness   | factor 1 +- 0.9                  |
| posterize                                | 4 of 8 bits are left             |
| solarize                                 | inverts everything               |

The authors' code begins the enhancements at 0.1 and runs `posterize` and
`solarize` the other way, so that there magnitude 0 is not "nothing"; here all
grow from the identity.

Every picture takes the same path: one warp, one blend and one table of 256
levels serve all operations, and the choice only sets their coefficients.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np

OPERATIONS = (
  "identity",
  "autocontrast",
  "equalize",
  "rotate",
  "solarize",
  "color",
  "posterize",
  "contrast",
  "brightness",
  "sharpness",
  "shear_x",
  "shear_y",
  "translate_x",
  "translate_y",
)
# Uniform numbers of one picture and layer: which operation, and its sign.
NUM_UNIFORMS = 2
MAX_MAGNITUDE = 10.0

_MAX_ANGLE = np.radians(30.0)
_MAX_SHEAR = 0.3
# 150 pixels of AutoAugment's pictures of 331.
_MAX_SHIFT = 150 / 331
_MAX_CHANGE = 0.9
_MAX_DROPPED_BITS = 4
# What shows where a warp looks beyond the picture; the authors' code.
_GREY = 128 / 255
_LEVELS = 256
# Weights of grey in ITU-R 601-2, as Pillow has them.
_LUMA = (0.299, 0.587, 0.114)


def apply(
  images: chex.Array, uniforms: chex.Array, magnitude: chex.Numeric
) -> chex.Array:
  """Applies operations drawn for each picture, one after another.

  Args:
    images: [n, height, width, 3] in [0, 1].
    uniforms: [n, layers, NUM_UNIFORMS] in [0, 1).
    magnitude: one number in [0, MAX_MAGNITUDE].

  Returns:
    [n, height, width, 3] in [0, 1].
  """
  chex.assert_shape(images, (None, None, None, 3))
  chex.assert_shape(uniforms, (images.shape[0], None, NUM_UNIFORMS))
  share = magnitude / MAX_MAGNITUDE
  for layer in range(uniforms.shape[1]):
    which, side = uniforms[:, layer, 0], uniforms[:, layer, 1]
    chosen = (which * len(OPERATIONS)).astype(jnp.int32)
    signed = jnp.where(side < 0.5, -share, share)
    images = _warp(images, chosen, signed)
    images = _blend(images, chosen, signed)
    images = _look_up(images, chosen, share)
  return images


def _is(chosen: chex.Array, *names: str) -> chex.Array:
  """[n] bool: whether an operation is one of these."""
  found = jnp.zeros(chosen.shape, bool)
  for name in names:
    found |= chosen == OPERATIONS.index(name)
  return found


def _warp(
  images: chex.Array, chosen: chex.Array, signed: chex.Array
) -> chex.Array:
  """Rotates, shears or shifts; the nearest pixel counts."""

  def amount(name, maximum):
    reach = jnp.where(_is(chosen, name), maximum * signed, 0.0)
    return reach[:, None, None]

  height, width = images.shape[1:3]
  y = (np.arange(height, dtype=np.float32) + 0.5)[None, :, None]
  x = (np.arange(width, dtype=np.float32) + 0.5)[None, None, :]
  # Rotations are about the centre, shears about the corner (0, 0).
  up, left = y - height / 2, x - width / 2
  angle = amount("rotate", _MAX_ANGLE)
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  from_x = cos * left - sin * up + width / 2
  from_x += amount("shear_x", _MAX_SHEAR) * y
  from_x += amount("translate_x", _MAX_SHIFT * width)
  from_y = sin * left + cos * up + height / 2
  from_y += amount("shear_y", _MAX_SHEAR) * x
  from_y += amount("translate_y", _MAX_SHIFT * height)
  inside = (from_x >= 0) & (from_x < width) & (from_y >= 0) & (from_y < height)
  row = jnp.clip(from_y.astype(jnp.int32), 0, height - 1)
  column = jnp.clip(from_x.astype(jnp.int32), 0, width - 1)
  found = jax.vmap(lambda image, *place: image[place])(images, row, column)
  return jnp.where(inside[..., None], found, _GREY)


def _blend(
  images: chex.Array, chosen: chex.Array, signed: chex.Array
) -> chex.Array:
  """Moves away from a plain version of the picture, or towards it."""
  names = "color", "contrast", "brightness", "sharpness"
  grey = jnp.sum(images * np.reshape(_LUMA, (1, 1, 1, 3)), -1, keepdims=True)
  plain = _pick(
    chosen,
    {
      "color": grey,
      "contrast": grey.mean((1, 2), keepdims=True),
      "brightness": jnp.zeros_like(grey),
      "sharpness": _smooth(images),
    },
    images,
  )
  change = _MAX_CHANGE * _wide(jnp.where(_is(chosen, *names), signed, 0.0))
  # Without a change this is the picture, exactly.
  return jnp.clip(images + change * (images - plain), 0.0, 1.0)


def _smooth(images: chex.Array) -> chex.Array:
  """Means over 3x3 pixels, the middle one five times; the border stays."""
  inner = images[:, 1:-1, 1:-1]
  rows = images[:, :-2] + images[:, 1:-1] + images[:, 2:]
  box = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
  return images.at[:, 1:-1, 1:-1].set((box + 4.0 * inner) / 13.0)


def _look_up(
  images: chex.Array, chosen: chex.Array, share: chex.Numeric
) -> chex.Array:
  """Maps the 256 levels of each channel."""
  names = "autocontrast", "equalize", "posterize", "solarize"
  _, height, width, _ = images.shape
  levels = jnp.round(images * (_LEVELS - 1)).astype(jnp.int32)
  # [n, 3, pixels]
  planes = levels.reshape(-1, height * width, 3).swapaxes(1, 2)
  found = jnp.take_along_axis(_tables(planes, chosen, share), planes, axis=2)
  found = found.swapaxes(1, 2).reshape(images.shape) / (_LEVELS - 1)
  return jnp.where(_wide(_is(chosen, *names)), found, images)


def _tables(planes: chex.Array, chosen: chex.Array, share: float) -> chex.Array:
  """Level to level, [n, 3, 256] int32, for [n, 3, pixels] int32."""
  level = np.arange(_LEVELS, dtype=np.int32)[None, None, :]
  dropped = jnp.round(_MAX_DROPPED_BITS * share).astype(jnp.int32)
  step = jnp.left_shift(1, dropped)
  is_bright = level >= _LEVELS * (1.0 - share)
  count = jax.vmap(jax.vmap(lambda x: jnp.bincount(x, length=_LEVELS)))(planes)
  return _pick(
    chosen,
    {
      "posterize": level // step * step,
      "solarize": jnp.where(is_bright, _LEVELS - 1 - level, level),
      "autocontrast": _autocontrast(count, level),
      "equalize": _equalize(count, level),
    },
    jnp.broadcast_to(level, count.shape),
  )


def _autocontrast(count: chex.Array, level: np.ndarray) -> chex.Array:
  """From the darkest level to black, from the brightest to white."""
  exists = count > 0
  low = jnp.argmax(exists, axis=-1, keepdims=True)
  high = _LEVELS - 1 - jnp.argmax(exists[..., ::-1], axis=-1, keepdims=True)
  stretched = (level - low) * (_LEVELS - 1) // jnp.maximum(high - low, 1)
  stretched = jnp.clip(stretched, 0, _LEVELS - 1)
  return jnp.where(high > low, stretched, level)


def _equalize(count: chex.Array, level: np.ndarray) -> chex.Array:
  """Towards equally many pixels at each level, rounded as Pillow does."""
  below = jnp.cumsum(count, axis=-1) - count
  # All pixels but those of the brightest level.
  others = jnp.where(count > 0, below, 0).max(-1, keepdims=True)
  step = others // (_LEVELS - 1)
  spread = (below + step // 2) // jnp.maximum(step, 1)
  return jnp.where(step > 0, jnp.minimum(spread, _LEVELS - 1), level)


def _pick(
  chosen: chex.Array, results: dict[str, chex.Array], otherwise: chex.Array
) -> chex.Array:
  """Each picture's result; [n or 1, ...] that broadcast to `otherwise`."""
  for name, result in results.items():
    condition = _is(chosen, name).reshape(-1, *(1,) * (otherwise.ndim - 1))
    otherwise = jnp.where(condition, result, otherwise)
  return otherwise


def _wide(values: chex.Array) -> chex.Array:
  return values[:, None, None, None]
