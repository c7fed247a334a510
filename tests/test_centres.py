"""Which pixels a cell sees, held against the gradient of a network."""

import functools

import jax
import numpy as np
import pytest

from byol_jax import parallel
from byol_jax.networks import centres, dense, network
from configs.eval import segmentation

# Two columns: they do not matter here.
IMAGES = (1, 8, 2, 3)


def _spec(encoder, stem):
  section = segmentation.get_config().network.to_dict()
  section |= {"encoder": encoder, "stem": stem}
  section.pop("image_px")
  return network.EncoderSpec(**section)


def _network(spec, dilation):
  def forward(images, modes):
    encoder = dense.backbone(spec, parallel.AXIS, dilation)
    trunk = encoder.trunk(images, modes.trunk)
    return encoder.last_group(trunk, modes.last_group)

  return dense.functions(forward)


@functools.cache
def _variables(spec):
  init = jax.jit(parallel.one_device(_network(spec, 1).init))
  return init(jax.random.key(1), jax.random.normal(jax.random.key(0), IMAGES))


def _middle_row(spec, side, cell, dilation):
  """The middle of the rows on which a cell of the map depends."""
  net, variables = _network(spec, dilation), _variables(spec)

  def value(images):
    last, _ = net.apply(variables, images, dense.INFERENCE)
    return (last[0, cell] ** 2).sum()

  images = jax.random.uniform(jax.random.key(0), (1, side, *IMAGES[2:]))
  run = jax.jit(parallel.one_device(jax.grad(value)))
  rows = np.flatnonzero(np.abs(run(images)).max((0, 2, 3)) > 0)
  # Else the picture's end has cut it off.
  assert 0 < rows[0] < rows[-1] < side - 1
  return (rows[0] + rows[-1]) / 2


@pytest.mark.parametrize(
  ("stem", "side", "dilation", "expected"),
  [
    ("imagenet", 144, 2, (7.0, 8)),
    ("imagenet", 145, 2, (0.0, 8)),
    ("imagenet", 147, 2, (2.0, 8)),
    ("cifar", 64, 2, (1.0, 2)),
    ("cifar", 65, 1, (0.0, 4)),
    ("cifar", 67, 1, (2.0, 4)),
  ],
)
def test_a_cell_looks_where_the_gradient_is(stem, side, dilation, expected):
  spec = _spec("resnet8", stem)
  number = centres.num_groups(spec, dilation)
  place, stride = centres.first(spec, side, number)
  assert (place, stride) == expected
  cell = side // stride // 2
  assert _middle_row(spec, side, cell, dilation) == place + stride * cell


@pytest.mark.parametrize(
  ("side", "number", "expected"),
  [(513, 3, (0.0, 16)), (512, 3, (15.0, 16)), (512, 4, (31.0, 32))],
)
def test_centres_of_a_resnet_50(side, number, expected):
  spec = _spec("resnet50", "imagenet")
  assert centres.first(spec, side, number) == expected


@pytest.mark.parametrize("side", [47, 48, 49])
def test_the_shares_are_those_of_a_line(side):
  spec = _spec("resnet50", "imagenet")
  shares = centres.weights(spec, side, 3)
  place, stride = centres.first(spec, side, 3)
  looks_at = place + stride * np.arange(shares.shape[1])
  # What is linear in the pixels stays it, up to the outermost centres.
  expected = np.clip(np.arange(side), place, looks_at[-1])
  np.testing.assert_allclose(shares @ looks_at, expected, rtol=1e-5)
