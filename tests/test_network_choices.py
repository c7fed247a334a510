"""What `network.Spec` chooses: norms, heads and standardised weights."""

import jax
import numpy as np
import pytest

from byol_jax import parallel
from byol_jax.networks import network, widths
from byol_jax.types import Variables
from tests import tiny_network

SMALL = tiny_network.SPEC._replace(encoder="one_conv", stem="cifar")


def leaf_shapes(variables):
  return {
    f"{module}/{name}": leaf.shape
    for module, leaves in variables.params.items()
    for name, leaf in leaves.items()
  }


@pytest.mark.parametrize("head", ["projector", "predictor"])
@pytest.mark.parametrize("kind", ["none", "layer"])
def test_a_head_has_its_own_norm(head, kind):
  spec = tiny_network.SPEC._replace(**{f"{head}_norm": kind})
  params, stats = tiny_network.shapes(spec, 32)
  assert (f"{head}/batch_norm" in params) == (kind == "layer")
  other = {"projector": "predictor", "predictor": "projector"}[head]
  heads = {name.split("/")[0] for name in stats} - {"tiny_res_net"}
  assert heads == {other}


@pytest.mark.parametrize(
  ("changes", "added"),
  [
    (
      {"head_bias": True},
      {"projector/linear_1/b": (8,), "predictor/linear_1/b": (8,)},
    ),
    (
      {"projector_output_norm": True},
      {
        "projector/batch_norm_1/scale": (1, 8),
        "projector/batch_norm_1/offset": (1, 8),
      },
    ),
  ],
)
def test_setting_of_the_heads_adds_these_parameters_only(changes, added):
  plain = leaf_shapes(tiny_network.shapes(tiny_network.SPEC, 32))
  assert (
    leaf_shapes(tiny_network.shapes(tiny_network.SPEC._replace(**changes), 32))
    == plain | added
  )


@pytest.mark.parametrize("predictor", ["none", "least_squares"])
def test_no_mlp_no_parameters_of_a_predictor(predictor):
  params = tiny_network.shapes(
    tiny_network.SPEC._replace(predictor=predictor), 32
  ).params
  assert not [name for name in params if "predictor" in name]
  assert "projector/linear_1" in params


def test_without_predictor_the_prediction_is_the_projection():
  net = network.make_network(SMALL._replace(predictor="none"), parallel.AXIS)
  images = jax.random.uniform(jax.random.key(1), (4, 8, 8, 3))

  @parallel.one_device
  def run(images):
    return net.apply(net.init(jax.random.key(0), images), images, True)[0]

  outputs = jax.jit(run)(images)
  assert np.std(outputs.projection) > 0.01
  np.testing.assert_array_equal(outputs.prediction, outputs.projection)


ALL_GROUP = tiny_network.SPEC._replace(
  encoder_norm="group",
  projector_norm="group",
  predictor_norm="group",
  norm_groups=4,
  projector_hidden=(16, 12),
  predictor_hidden=(20,),
  projection_dim=24,
)


@pytest.mark.parametrize(
  "spec",
  [
    ALL_GROUP,
    ALL_GROUP._replace(width_multiplier=3, encoder_norm="batch"),
    ALL_GROUP._replace(projector_output_norm=True, predictor="none"),
    ALL_GROUP._replace(encoder="resnet50", projector_norm="none"),
    ALL_GROUP._replace(encoder="resnet8", width_multiplier=2),
  ],
)
def test_widths_are_those_of_the_group_norms(spec):
  # Batch norms differ from group norms in having averages: leave those out.
  params, stats = tiny_network.shapes(spec, 32)
  averaged = {name.rsplit("/~/", 1)[0] for name in stats}
  seen = {
    leaves["scale"].size
    for module, leaves in params.items()
    if "scale" in leaves and module not in averaged
  }
  assert seen
  assert widths.of_group_norms(spec) == tuple(sorted(seen))


@pytest.mark.parametrize(
  ("kind", "expected"), [("group", (8, 64)), ("layer", ())]
)
def test_widths_of_an_encoder_alone(kind, expected):
  known = ALL_GROUP._replace(encoder_norm=kind)._asdict()
  spec = network.EncoderSpec(*(known[k] for k in network.EncoderSpec._fields))
  assert widths.of_group_norms(spec) == expected


@pytest.mark.parametrize("kind", ["group", "layer", "affine", "none"])
def test_names_do_not_depend_on_the_norm(kind):
  batch = tiny_network.shapes(tiny_network.SPEC, 32).params
  params, stats = tiny_network.shapes(
    ALL_GROUP._replace(
      encoder_norm=kind,
      projector_norm=kind,
      predictor_norm=kind,
      projector_hidden=(16,),
      projection_dim=8,
    ),
    32,
  )
  with_norm = {name for name, leaves in batch.items() if "scale" in leaves}
  dropped = with_norm if kind == "none" else set()
  assert set(params) == set(batch) - dropped
  assert stats == {}


def test_standardized_weights_are_the_encoders_and_the_heads():
  plain = SMALL._replace(encoder_norm="none", projector_norm="none")
  images = jax.random.uniform(jax.random.key(1), (4, 8, 8, 3))

  def apply(spec, variables):
    net = network.make_network(spec, parallel.AXIS)
    run = parallel.one_device(lambda x: net.apply(variables, x, True)[0])
    return jax.jit(run)(images)

  net = network.make_network(plain, parallel.AXIS)
  init = parallel.one_device(lambda x: net.init(jax.random.key(0), x))
  params, stats = jax.jit(init)(images)

  def by_hand(module, leaves):
    if module == "classifier" or "w" not in leaves:
      return leaves
    w = np.asarray(leaves["w"], np.float64).reshape(-1, leaves["w"].shape[-1])
    w = (w - w.mean(0)) / np.sqrt(w.var(0) + 1e-4)
    return {**leaves, "w": w.reshape(leaves["w"].shape).astype(np.float32)}

  changed = {name: by_hand(name, leaves) for name, leaves in params.items()}
  got = apply(
    plain._replace(weight_standardization=True), Variables(params, stats)
  )
  expected = apply(plain, Variables(changed, stats))
  assert np.std(expected.prediction) > 0.1
  for name in ("representation", "projection", "prediction", "logits"):
    np.testing.assert_allclose(
      getattr(got, name), getattr(expected, name), rtol=1e-4, atol=1e-4
    )
