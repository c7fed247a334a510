"""Where on a picture the cells of an encoder's maps look.

SAME padding is symmetric at sides such as 513 and one-sided at 512: the first
of the cells 16 pixels apart has its middle at the pixel 0, or at 15.
"""

import numpy as np

from byol_jax.networks import network, resnet, windows

# Side and stride of the windows that move centres; all others have stride 1 and
# odd sides, which SAME pads alike at both ends.
_STEMS = {"imagenet": ((7, 2), (3, 2)), "cifar": ((3, 1),)}
_GROUPS = ((3, 1), (3, 2))


def num_groups(spec: network.EncoderSpec, last_dilation: int) -> int:
  """Groups of an encoder without those that a dilation keeps from halving.

  Args:
    spec: shape of the encoder.
    last_dilation: of its last group.
  """
  whole = len(resnet.ARCHITECTURES[spec.encoder].blocks)
  return max(whole - (last_dilation > 1), 0)


def first(
  spec: network.EncoderSpec, side: int, num_groups: int
) -> tuple[float, int]:
  """The middle of what the first cell of a map sees, and the way to the next.

  The middle of the whole field, padding included, along one axis.

  Args:
    spec: shape of the encoder.
    side: of the picture, in pixels.
    num_groups: how many of the encoder's groups, whose first does not halve,
      come before the map.

  Returns:
    A place in pixels, 0 at the middle of the first one, and the stride.
  """
  halving = _GROUPS[:1] * min(num_groups, 1) + _GROUPS[1:] * (num_groups - 1)
  place, stride = 0.0, 1
  for kernel, step in _STEMS[spec.stem] + halving:
    before, _ = windows.padding(side, kernel, step)
    place += stride * ((kernel - 1) / 2 - before)
    stride, side = stride * step, windows.count(side, step)
  return place, stride


def weights(
  spec: network.EncoderSpec, side: int, num_groups: int
) -> np.ndarray:
  """Share of each cell in each pixel, linear between the cells' middles.

  Pixels beyond the first and last middle take the value there.

  Args:
    spec: as `first`.
    side: as `first`.
    num_groups: as `first`.

  Returns:
    [side, cells], rows sum to 1.
  """
  place, stride = first(spec, side, num_groups)
  cells = np.arange(windows.count(side, stride))
  at = np.clip((np.arange(side) - place) / stride, 0.0, cells[-1])
  near = np.maximum(1.0 - np.abs(at[:, None] - cells), 0.0)
  return near.astype(np.float32)
