import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from byol_jax import byol, loss, optimizers, parallel, replicas, sharding
from byol_jax.networks import network, specs
from byol_jax.types import Variables

# Of two devices: rows for both, too few, an odd number, no rows.
SHAPES = {
  "encoder/conv": {"w": (3, 3, 8, 5)},
  "encoder/few": {"w": (2, 7, 3)},
  "encoder/odd": {"w": (3, 3, 3, 16)},
  "encoder/norm": {"scale": (1, 1, 1, 64), "offset": (1, 1, 1, 64)},
  "projector/linear": {"w": (16, 6), "b": (6,)},
}
PARTS = {**SHAPES, "encoder/conv": {"w": (36, 5)}}
PARTS["projector/linear"] = {"w": (8, 6), "b": (6,)}
DTYPES = {
  module: dict.fromkeys(leaves, jnp.dtype("float32"))
  for module, leaves in SHAPES.items()
}
DTYPES["encoder/conv"] = {"w": jnp.dtype("bfloat16")}


def _is_shape(x):
  return isinstance(x, tuple) and all(isinstance(y, int) for y in x)


def _state():
  rng = np.random.default_rng(0)

  def drawn():
    return jax.tree.map(
      lambda shape: rng.normal(size=shape).astype(np.float32),
      SHAPES,
      is_leaf=_is_shape,
    )

  stats = {
    "encoder/norm/average": {"average": np.ones((1, 32, 1, 4), np.float32)}
  }
  return byol.State(
    step=np.int32(7),
    online=Variables(drawn(), stats),
    target=Variables(drawn(), stats),
    opt_state=(drawn(), (), np.int32(7)),
    queue=np.ones((64, 4), np.float32),
  )


def _shards(state, hosts=(2, 2)):
  like = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(np.shape(x), np.asarray(x).dtype), state
  )
  return sharding.Sharding(sharding.Hosts(*hosts), like, DTYPES)


def _shapes(tree):
  return jax.tree.map(lambda x: tuple(x.shape[1:]), tree)


def test_each_device_keeps_its_rows():
  state = _state()
  cut = parallel.pmap(_shards(state).cut_state)(parallel.replicate(state))
  for found in (cut.online.params, cut.target.params, cut.opt_state[0]):
    assert _shapes(found) == PARTS
  whole = np.asarray(cut.online.params["projector/linear"]["w"])
  np.testing.assert_array_equal(
    whole.reshape(16, 6), state.online.params["projector/linear"]["w"]
  )
  found = jax.tree.map(lambda x: (x.shape[1:], x.dtype), cut)
  shapes = _shards(state).state_shapes()
  assert found == jax.tree.map(lambda x: (x.shape, x.dtype), shapes)
  np.testing.assert_array_equal(cut.queue[1], state.queue)
  np.testing.assert_array_equal(
    cut.target.stats["encoder/norm/average"]["average"][0],
    np.ones((1, 32, 1, 4)),
  )


def test_parts_make_the_same_whole_on_all_devices():
  state = _state()
  shards = _shards(state)
  cut = parallel.pmap(shards.cut_state)(parallel.replicate(state))
  whole = parallel.pmap(shards.whole_state)(cut)
  for device in range(2):
    jax.tree.map(
      lambda x, y, device=device: np.testing.assert_array_equal(x[device], y),
      whole,
      state,
    )


def test_weights_are_rounded_to_what_training_takes():
  state = _state()
  shards = _shards(state)
  cut = parallel.pmap(shards.cut_state)(parallel.replicate(state))
  given = parallel.pmap(shards.with_weights)(cut)
  rounded = jnp.asarray(state.target.params["encoder/conv"]["w"], jnp.bfloat16)
  found = given.target.params
  assert found["encoder/conv"]["w"].dtype == jnp.float32
  np.testing.assert_array_equal(found["encoder/conv"]["w"][1], rounded)
  assert np.any(rounded != state.target.params["encoder/conv"]["w"])
  for module in ("encoder/odd", "encoder/norm", "projector/linear"):
    for name, x in state.target.params[module].items():
      np.testing.assert_array_equal(found[module][name][1], x)
  assert _shapes(given.opt_state[0]) == PARTS


def test_a_part_is_held_against_the_same_one_of_other_hosts(monkeypatch):
  state = _state()
  shards = _shards(state)
  cut = parallel.pmap(shards.cut_state)(parallel.replicate(state))
  copies = shards.copies(cut)
  assert copies.of_all.online.params["encoder/conv"]["w"] == ()
  assert copies.of_all.online.params["encoder/odd"]["w"].shape[0] == 2
  assert jax.tree.leaves(copies.of_place)[0].shape == (2, 36, 5)
  replicas.check(copies, step=3)
  # The parts differ, as they must not on hosts of one device.
  monkeypatch.setattr(jax, "local_device_count", lambda: 1)
  with pytest.raises(replicas.ReplicaError, match="of host 1"):
    replicas.check(copies, step=3)


def test_one_device_has_it_all():
  state = _state()
  shards = _shards(state, (1, 2))
  for function in (shards.cut_state, shards.whole_state, shards.with_weights):
    jax.tree.map(np.testing.assert_array_equal, function(state), state)
  assert shards.total(state) is state
  assert shards.copies(state) == (state, ())


@pytest.mark.parametrize("standardised", [False, True])
def test_training_rounds_what_may_be_rounded(standardised):
  spec = specs.Spec(num_classes=3, **tiny.config().network)
  spec = spec._replace(weight_standardization=standardised)
  net = network.make_network(spec, parallel.AXIS, "bfloat16")
  images = jax.random.uniform(jax.random.key(0), (4, 8, 8, 3))
  params, stats = jax.jit(parallel.one_device(net.init))(
    jax.random.key(1), images
  )
  dtypes = network.weight_dtypes(params, spec, "bfloat16")
  assert dtypes["projector/linear"]["w"] == jnp.float32
  rounded = jax.tree.map(lambda x, y: x.astype(y), params, dtypes)
  differ = np.any(
    rounded["one_conv/~/initial_conv"]["w"]
    != params["one_conv/~/initial_conv"]["w"]
  )
  assert differ != standardised
  step = jax.jit(
    parallel.one_device(
      lambda params: net.apply(Variables(params, stats), images, True)[0]
    )
  )
  given = jax.tree.map(lambda x, y: x.astype(y.dtype), rounded, params)
  jax.tree.map(np.testing.assert_array_equal, step(given), step(params))


def _linear(key, images):
  del images
  keys = jax.random.split(key, 4)
  params = {
    "encoder": {"w": jax.random.normal(keys[0], (48, 16))},
    "predictor": {
      "w": jax.random.normal(keys[1], (16, 16)),
      "b": jax.random.normal(keys[2], (16,)),
    },
    "few": {"w": jax.random.normal(keys[3], (2, 16))},
  }
  return Variables(params, {})


def _apply(variables, images, is_training):
  del is_training
  params = variables.params
  flat = images.reshape(*images.shape[:-3], -1)
  z = flat @ params["encoder"]["w"]
  shift = params["predictor"]["b"] + jnp.sum(params["few"]["w"], axis=0)
  q = z @ params["predictor"]["w"] + shift.reshape((1,) * (z.ndim - 1) + (-1,))
  return network.Outputs(flat, z, q, ()), {}


NET = network.Network(_linear, _apply)
RATES = byol.Schedules(lambda step: 0.1, lambda step: 0.9)


def _update(make_optimizer, settings, hosts):
  """The state at the start and after three steps, on two devices."""
  images = np.random.default_rng(0).random((3, 2, 2, 8, 4, 4, 3), np.float32)

  def made(shards):
    return make_optimizer(shards.total)

  def init(batch):
    optimizer = made(sharding.NONE)
    return byol.init_state(NET, optimizer, jax.random.key(1), batch, settings)

  start = parallel.pmap(init)(images[0, 0])
  shards = _shards(parallel.first(start), hosts)
  shards = shards._replace(
    dtypes=jax.tree.map(lambda x: x.dtype, shards.like.online.params)
  )
  update = byol.make_update(NET, made(shards), RATES, settings, shards=shards)
  step = parallel.pmap(lambda *args: update(*args, jax.random.key(0)))
  state = parallel.pmap(shards.cut_state)(start)
  for view1, view2 in images:
    state, _ = step(state, {"view1": view1, "view2": view2})
  whole = parallel.pmap(shards.whole_state)(state)
  return parallel.first(start), parallel.first(whole), state


OPTIMIZERS = {
  "lars": lambda total: optimizers.lars(
    RATES.learning_rate, 1e-2, 0.9, 0.1, False, total
  ),
  "clipped": lambda total: optimizers.lars(
    RATES.learning_rate, 1e-2, 0.9, 1e-3, True, total
  ),
  "adamw": lambda total: optimizers.adamw(RATES.learning_rate, 1e-2),
}
SETTINGS = {
  "target": loss.BYOL,
  "no target": loss.BYOL._replace(target="online", skips=True),
  "parts": loss.BYOL._replace(num_micro_batches=2),
}


@pytest.mark.parametrize(
  ("optimizer", "settings"),
  [(name, "target") for name in OPTIMIZERS]
  + [("lars", name) for name in SETTINGS if name != "target"],
)
def test_sharing_makes_the_same_steps(optimizer, settings):
  choice = OPTIMIZERS[optimizer], SETTINGS[settings]
  start, theirs, _ = _update(*choice, sharding.Hosts(1, 2))
  _, ours, parts = _update(*choice, sharding.Hosts(2, 2))
  shapes = _shapes(parts.online.params)
  assert (shapes["encoder"]["w"], shapes["few"]["w"]) == ((24, 16), (2, 16))
  assert jax.tree.structure(ours) == jax.tree.structure(theirs)
  for x, y in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True):
    np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)
  moved = np.abs(
    ours.online.params["encoder"]["w"] - start.online.params["encoder"]["w"]
  )
  assert moved.max() > 1e-2
