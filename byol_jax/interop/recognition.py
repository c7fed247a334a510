"""Which network it is whose parameters a released checkpoint holds."""

import collections
import re
from collections.abc import Mapping

import numpy as np

from byol_jax.interop import inert
from byol_jax.networks import network, resnet

# Haiku's two-level dict.
Modules = dict[str, dict[str, np.ndarray]]

# A file may name the first convolution as one that took another's place.
OTHER_STEM, STEM = "initial_conv_1", "initial_conv"
_STEM_CHANNELS = 64
_STEM_PX = 7
_BLOCK = re.compile(r"block_group_([0-9]+)/~/block_([0-9]+)/~/")
# The released code has two.
_MAX_HEAD_LAYERS = 8
_RELEASED = "resnet18, resnet34, resnet50, resnet101, resnet152, resnet200"


def recognise(params: Modules) -> network.Spec:
  """Finds the shape of a network by that of its parameters.

  Args:
    params: of the whole network, under the released names.

  Returns:
    The shape; what no parameter shows is as the released code sets it.

  Raises:
    PickleError: the encoder is none of `resnet.ARCHITECTURES`, or a head is no
      perceptron.
  """
  encoder, width = _encoder(network.encoder_part(params))
  *projector_hidden, projection_dim = _widths(params, "projector")
  *predictor_hidden, _ = _widths(params, "predictor")
  return network.Spec(
    encoder=encoder,
    width_multiplier=width,
    stem="imagenet",
    zero_init_last_scale=False,
    encoder_norm="batch",
    norm_groups=16,
    weight_standardization=False,
    projector_hidden=tuple(projector_hidden),
    predictor_hidden=tuple(predictor_hidden),
    projection_dim=projection_dim,
    projector_norm="batch",
    predictor_norm="batch",
    projector_output_norm=False,
    head_bias=False,
    predictor="mlp",
    num_classes=_num_classes(params),
    norm_decay=0.9,
    norm_epsilon=1e-5,
    mean_rgb=(0.485, 0.456, 0.406),
    std_rgb=(0.229, 0.224, 0.225),
  )


def foreign(what: str) -> inert.PickleError:
  """The error of a file that holds something else.

  Args:
    what: it is, or is not, of ours.
  """
  return inert.PickleError(
    f"is not a pre-training checkpoint of the released code: {what}"
  )


def _encoder(params: Modules) -> tuple[str, int]:
  """Name in `resnet.ARCHITECTURES` and width of the network with such weights.

  Raises:
    PickleError: there is none.
  """
  names = {name.partition("/~/")[0] for name in params}
  own = {name.partition("/~/")[2]: x for name, x in params.items()}
  stem = own.get(STEM) or own.get(OTHER_STEM) or {}
  shape = np.shape(stem.get("w"))
  if len(names) != 1 or len(shape) != 4:
    raise foreign("its encoder is no ResNet")
  if "final_batchnorm" in own:
    raise foreign("its encoder is a ResNet of version 2, and ours are 1")
  if shape[:3] != (_STEM_PX, _STEM_PX, 3) or shape[3] % _STEM_CHANNELS:
    ours = f"{_STEM_PX} x {_STEM_PX} x 3 x a multiple of {_STEM_CHANNELS}"
    found = " x ".join(map(str, shape))
    raise foreign(f"its first convolution is {found}, not {ours}")
  width = shape[3] // _STEM_CHANNELS
  found = (*_blocks(own), width)
  for name, architecture in resnet.ARCHITECTURES.items():
    channels = tuple(width * x for x in architecture.channels)
    bottleneck = architecture.bottleneck
    if found == (architecture.blocks, channels, bottleneck, width):
      return name, width
  blocks, channels, _, _ = found
  raise foreign(
    f"its encoder has blocks {inert.shown(str(list(blocks)))} of"
    f" {inert.shown(str(list(channels)))} channels, and the released ones are"
    f" {_RELEASED}"
  )


def _blocks(
  own: Mapping[str, Mapping[str, np.ndarray]],
) -> tuple[tuple[int, ...], tuple[int, ...], bool]:
  """Blocks and channels of each group, and whether blocks have a bottleneck."""
  places = {match.groups() for match in map(_BLOCK.match, own) if match}
  counts = collections.Counter(int(group) for group, _ in places)
  bottleneck = any(name.endswith("/conv_2") for name in own)
  last = "conv_2" if bottleneck else "conv_1"
  channels = [
    np.shape(own.get(f"block_group_{x}/~/block_0/~/{last}", {}).get("w"))
    for x in sorted(counts)
  ]
  return (
    tuple(counts[x] for x in sorted(counts)),
    tuple(shape[-1] if shape else 0 for shape in channels),
    bottleneck,
  )


def _num_classes(params: Modules) -> int:
  """As many as the classifier has biases; 0 without one."""
  if "classifier" not in params:
    return 0
  shape = np.shape(params["classifier"].get("b"))
  if len(shape) != 1:
    raise foreign("its classifier is no linear one")
  return shape[0]


def _widths(params: Modules, head: str) -> list[int]:
  """Of the layers of a head."""
  count = sum(name.startswith(f"{head}/linear") for name in params)
  if count > _MAX_HEAD_LAYERS:
    raise foreign(
      f"its {head} has {count} layers, more than {_MAX_HEAD_LAYERS}"
    )
  names = [f"{head}/linear{f'_{i}' if i else ''}" for i in range(count)]
  shapes = [np.shape(params.get(name, {}).get("w")) for name in names]
  if not shapes or any(len(shape) != 2 for shape in shapes):
    raise foreign(f"its {head} is no perceptron")
  return [shape[1] for shape in shapes]
