"""Representations of a whole data set."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from byol_jax import parallel, stopping
from byol_jax.networks import network
from byol_jax.types import Variables

# Variables, replicated, and uint8 images [local_devices, batch, height, width,
# 3] to outputs with the same leading axes.
Encode = Callable[[Variables | None, chex.Array], network.Outputs]

# A histogram has so many bins for each of red, green and blue.
_HISTOGRAM_BINS = 4


class Features(NamedTuple):
  """What is known of each picture, on the host.

  Attributes:
    representation: [n, dim] float32.
    logits: [n, num_classes] of the online classifier; [n, 0] without one.
    labels: [n] int32; [0] when unlabelled.
  """

  representation: np.ndarray
  logits: np.ndarray
  labels: np.ndarray


def make_encode(net: network.Network) -> Encode:
  """Builds the online network in inference mode, across devices."""

  def encode(variables, images):
    outputs, _ = net.apply(variables, images.astype(jnp.float32) / 255.0, False)
    return outputs

  return parallel.pmap(encode)


def plain_encodes() -> dict[str, Encode]:
  """Features that need no network, by name: pixels and a colour histogram."""

  def as_encode(function):
    mapped = parallel.pmap(lambda x: network.Outputs(function(x), (), (), ()))
    return lambda variables, images: mapped(images)

  return {
    "pixels": as_encode(pixels),
    "colour histogram": as_encode(colour_histogram),
  }


def pixels(images: chex.Array) -> chex.Array:
  """Raw pixels: [n, height, width, 3] uint8 to [n, dim] float32 in [0, 1]."""
  return images.reshape(len(images), -1).astype(jnp.float32) / 255.0


def colour_histogram(images: chex.Array) -> chex.Array:
  """Shares of 64 colours: [n, height, width, 3] uint8 to [n, 64] float32."""
  bins = images.astype(jnp.int32) * _HISTOGRAM_BINS // 256
  codes = (bins[..., 0] * _HISTOGRAM_BINS + bins[..., 1]) * _HISTOGRAM_BINS
  codes = (codes + bins[..., 2]).reshape(len(images), -1)
  count = jax.vmap(lambda row: jnp.bincount(row, length=_HISTOGRAM_BINS**3))
  return count(codes) / codes.shape[1]


def extract(
  encode: Encode,
  variables: Variables | None,
  batches: Iterator[Mapping[str, np.ndarray]],
  limit: int | None = None,
) -> Features:
  """Encodes every picture once, whatever the number of devices and hosts.

  Args:
    encode: from `make_encode`.
    variables: replicated, or None for an encoding without.
    batches: of this host, equally many on each host: `images` uint8, `mask`,
      `index` and perhaps `labels`, as data/ yields them for evaluation.
    limit: stop after so many pictures.

  Returns:
    The features of all hosts' pictures in the data set's order, the padding
    removed.

  Raises:
    StoppedError: somebody wants the program to end.
  """
  parts, indices, count = [], [], 0
  for batch in batches:
    stopping.check()
    part, index = _encode_batch(encode, variables, batch)
    parts.append(part)
    indices.append(index)
    count += len(index)
    if limit and count >= limit:
      break
  # Hosts interleave: without order, held-out parts would depend on them.
  order = np.argsort(np.concatenate(indices))[:limit]
  joined = map(np.concatenate, zip(*parts, strict=True))
  return Features(*(x[order] if len(x) else x for x in joined))


def _encode_batch(encode, variables, batch):
  """Features of one batch on all hosts, and where each picture belongs."""
  outputs = encode(variables, parallel.shard({"x": batch["images"]})["x"])
  mask = _gather_rows(batch["mask"])
  representation = parallel.gather(outputs.representation)[mask]
  logits = np.zeros((len(representation), 0), np.float32)
  if not isinstance(outputs.logits, tuple):
    logits = parallel.gather(outputs.logits)[mask]
  labels = np.zeros([0], np.int32)
  if "labels" in batch:
    labels = _gather_rows(batch["labels"])[mask]
  index = _gather_rows(batch["index"])[mask]
  return Features(representation, logits, labels), index


def _gather_rows(x: np.ndarray) -> np.ndarray:
  return parallel.gather(parallel.shard({"x": x})["x"])
