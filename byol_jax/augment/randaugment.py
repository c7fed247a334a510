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

Every picture takes the same path: one table of 256 levels, one blend and one
warp serve all operations, and the choice only sets their coefficients. Inside,
a batch is [n, 3, height, width].
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

  def layer(planes, drawn):
    chosen = (drawn[:, 0] * len(OPERATIONS)).astype(jnp.int32)
    signed = jnp.where(drawn[:, 1] < 0.5, -share, share)
    # Only one of them does something. In another order the compiler repeats
    # the others for each of a pixel's uses in the smoothing and the table.
    planes = _look_up(planes, chosen, share)
    planes = _blend(planes, chosen, signed)
    return _warp(planes, chosen, signed), None

  planes = jnp.transpose(images, (0, 3, 1, 2))
  # Not unrolled: what one layer makes is kept, not made again by the next.
  planes, _ = jax.lax.scan(layer, planes, jnp.swapaxes(uniforms, 0, 1))
  return jnp.transpose(planes, (0, 2, 3, 1))


def _is(chosen: chex.Array, *names: str) -> chex.Array:
  """[n] bool: whether an operation is one of these."""
  found = jnp.zeros(chosen.shape, bool)
  for name in names:
    found |= chosen == OPERATIONS.index(name)
  return found


def _look_up(
  planes: chex.Array, chosen: chex.Array, share: chex.Numeric
) -> chex.Array:
  """Maps the 256 levels of each channel."""
  names = "autocontrast", "equalize", "posterize", "solarize"
  levels = jnp.round(planes * (_LEVELS - 1)).astype(jnp.int32)
  found = _gather(_tables(levels, chosen, share), levels)
  return jnp.where(
    _wide(_is(chosen, *names)), found.astype(jnp.float32) / 255.0, planes
  )


def _tables(
  levels: chex.Array, chosen: chex.Array, share: chex.Numeric
) -> chex.Array:
  """Level to level, [n, 3, 256] int32."""
  level = np.arange(_LEVELS, dtype=np.int32)[None, None, :]
  dropped = jnp.round(_MAX_DROPPED_BITS * share).astype(jnp.int32)
  step = jnp.left_shift(1, dropped)
  is_bright = level >= _LEVELS * (1.0 - share)
  count = jax.vmap(jax.vmap(lambda x: jnp.bincount(x, length=_LEVELS)))
  count = count(levels.reshape(*levels.shape[:2], -1))
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


def _blend(
  planes: chex.Array, chosen: chex.Array, signed: chex.Array
) -> chex.Array:
  """Moves away from a plain version of the picture, or towards it."""
  names = "color", "contrast", "brightness", "sharpness"
  luma = np.reshape(np.float32(_LUMA), (1, 3, 1, 1))
  grey = jnp.sum(planes * luma, axis=1, keepdims=True)
  plain = _pick(
    chosen,
    {
      "color": grey,
      "contrast": grey.mean((2, 3), keepdims=True),
      "brightness": jnp.zeros_like(grey),
      "sharpness": _smooth(planes),
    },
    planes,
  )
  change = _MAX_CHANGE * _wide(jnp.where(_is(chosen, *names), signed, 0.0))
  # Without a change this is the picture, exactly.
  return jnp.clip(planes + change * (planes - plain), 0.0, 1.0)


def _smooth(planes: chex.Array) -> chex.Array:
  """Means over 3x3 pixels, the middle one five times; the border stays."""
  rows = planes[:, :, :-2] + planes[:, :, 1:-1] + planes[:, :, 2:]
  box = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
  inner = planes[..., 1:-1, 1:-1]
  return planes.at[..., 1:-1, 1:-1].set((box + 4.0 * inner) / 13.0)


def _warp(
  planes: chex.Array, chosen: chex.Array, signed: chex.Array
) -> chex.Array:
  """Rotates, shears or shifts; the nearest pixel counts."""

  def amount(name, maximum):
    reach = jnp.where(_is(chosen, name), maximum * signed, 0.0)
    return _wide(reach)

  height, width = planes.shape[2:]
  y = np.arange(height, dtype=np.float32)[None, None, :, None] + 0.5
  x = np.arange(width, dtype=np.float32)[None, None, None, :] + 0.5
  # Rotations are about the centre, shears about the corner (0, 0).
  down, right = y - height / 2, x - width / 2
  angle = amount("rotate", _MAX_ANGLE)
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  from_x = cos * right - sin * down + width / 2
  from_x += amount("shear_x", _MAX_SHEAR) * y
  from_x += amount("translate_x", _MAX_SHIFT * width)
  from_y = sin * right + cos * down + height / 2
  from_y += amount("shear_y", _MAX_SHEAR) * x
  from_y += amount("translate_y", _MAX_SHIFT * height)
  inside = (from_x >= 0) & (from_x < width) & (from_y >= 0) & (from_y < height)
  row = jnp.clip(from_y.astype(jnp.int32), 0, height - 1)
  column = jnp.clip(from_x.astype(jnp.int32), 0, width - 1)
  found = _gather(planes, row * width + column)
  return jnp.where(inside, found, _GREY)


def _gather(values: chex.Array, places: chex.Array) -> chex.Array:
  """Values of each channel, counted through, at [n, 3 or 1, height, width]."""
  num_images, channels = values.shape[:2]
  found = jnp.take_along_axis(
    values.reshape(num_images, channels, -1),
    places.reshape(*places.shape[:2], -1),
    axis=2,
    mode="clip",
  )
  return found.reshape(num_images, channels, *places.shape[2:])


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
