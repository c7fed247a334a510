"""Networks are told by the shapes of their parameters."""

import numpy as np
import pytest

from byol_jax.interop import inert, recognition
from byol_jax.networks import resnet


def zeros(*shape):
  return np.broadcast_to(np.float32(0), shape)


def params_of(name, width):
  """What shows an architecture: the first and last layers of its blocks."""
  architecture = resnet.ARCHITECTURES[name]
  last = "conv_2" if architecture.bottleneck else "conv_1"
  sizes = [width * x for x in architecture.channels]
  params = {"net/~/initial_conv": {"w": zeros(7, 7, 3, 64 * width)}}
  for group, count in enumerate(architecture.blocks):
    for block in range(count):
      place = f"net/~/block_group_{group}/~/block_{block}/~"
      params[f"{place}/{last}"] = {"w": zeros(1, 1, 1, sizes[group])}
  for head, hidden in (("projector", 4096), ("predictor", 512)):
    params[f"{head}/linear"] = {"w": zeros(2048, hidden)}
    params[f"{head}/linear_1"] = {"w": zeros(hidden, 256)}
  params["classifier"] = {"b": zeros(1000)}
  return params


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize(
  "name", [f"resnet{depth}" for depth in (18, 34, 50, 101, 152, 200)]
)
def test_depth_and_width_are_recognised(name, width):
  spec = recognition.recognise(params_of(name, width))
  assert (spec.encoder, spec.width_multiplier) == (name, width)
  assert (spec.projector_hidden, spec.predictor_hidden) == ((4096,), (512,))
  assert (spec.projection_dim, spec.num_classes) == (256, 1000)


def with_blocks(*places):
  """A ResNet-18 that has further blocks."""
  found = params_of("resnet18", 1)
  for group, block in places:
    name = f"net/~/block_group_{group}/~/block_{block}/~/conv_1"
    found[name] = {"w": zeros(1, 1, 1, 1)}
  return found


def test_thousands_of_groups_take_no_time_and_no_page():
  params = with_blocks(*((group, 0) for group in range(4, 4000)))
  with pytest.raises(inert.PickleError) as raised:
    recognition.recognise(params)
  said = str(raised.value)
  assert "blocks [2, 2, 2, 2, 1, 1," in said
  assert said.endswith("resnet101, resnet152, resnet200")
  assert len(said) < 400


def test_digits_of_other_scripts_number_no_block():
  spec = recognition.recognise(with_blocks((3, "\u0663"), ("\u0664", 0)))
  assert spec.encoder == "resnet18"


@pytest.mark.parametrize("head", ["projector", "predictor"])
def test_heads_have_few_layers(head):
  params = params_of("resnet18", 1)
  params |= {f"{head}/linear_{i}": {"w": zeros(7, 7)} for i in range(2, 8)}
  spec = recognition.recognise(params)
  assert len(getattr(spec, f"{head}_hidden")) == 7
  params[f"{head}/linear_8"] = {"w": zeros(7, 7)}
  with pytest.raises(
    inert.PickleError, match=f"{head} has 9 layers, more than"
  ):
    recognition.recognise(params)
