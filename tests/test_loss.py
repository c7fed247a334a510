"""The family of losses, against what theory says of its members."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax import byol, loss, objectives, optimizers, parallel
from byol_jax.networks import network
from byol_jax.types import Variables

AXIS = parallel.AXIS
CONTRASTIVE = objectives.Objective(negative_weight=1.0, temperature=0.2)
SIMCLR = loss.Settings(CONTRASTIVE, predictor="none", target="online")
BATCH, DIM = 8, 5


def linear_network(predictor=True):
  """A network without norms: a matrix, and another one that predicts."""

  def init(key, images):
    del images
    keys = jax.random.split(key)
    params = {
      "encoder": {"w": jax.random.normal(keys[0], (12, DIM))},
      "predictor": {"w": jax.random.normal(keys[1], (DIM, DIM))},
    }
    return Variables(params, {})

  def apply(variables, images, is_training):
    del is_training
    flat = images.reshape(*images.shape[:-3], -1)
    z = flat @ variables.params["encoder"]["w"]
    q = z @ variables.params["predictor"]["w"] if predictor else z
    return network.Outputs(flat, z, q, ()), {}

  return network.Network(init, apply)


NET, BARE = linear_network(), linear_network(predictor=False)
OPTIMIZER = optimizers.sgd(lambda step: 0.1, 0.0, 0.9)
RATES = byol.Schedules(lambda step: 0.1, lambda step: 0.9)


def views(seed=0):
  view1, view2 = jax.random.uniform(jax.random.key(seed), (2, BATCH, 2, 2, 3))
  return {"view1": view1, "view2": view2}


def begin(net, settings=loss.BYOL):
  make = parallel.one_device(
    lambda x: byol.init_state(net, OPTIMIZER, jax.random.key(1), x, settings)
  )
  return make(views()["view1"])


def step(net, settings, state, batch, num_devices=1):
  """One update on so many devices, of which `vmap` makes a stand-in."""
  parts = jax.tree.map(
    lambda x: x.reshape(num_devices, -1, *x.shape[1:]), batch
  )
  update = byol.make_update(net, OPTIMIZER, RATES, settings)
  mapped = jax.vmap(
    lambda part: update(state, part, jax.random.key(0)), axis_name=AXIS
  )
  return jax.tree.map(lambda x: x[0], jax.jit(mapped)(parts))


def nt_xent(z1, z2, temperature):
  """SimCLR's loss, naively: the mean over 2N views (arXiv 2002.05709)."""
  z = np.concatenate([z1, z2]).astype(np.float64)
  z = z / np.linalg.norm(z, axis=1, keepdims=True)
  total, count = 0.0, len(z1)
  for i in range(2 * count):
    scores = [np.exp(z[i] @ z[j] / temperature) for j in range(2 * count)]
    positive = scores[(i + count) % (2 * count)]
    total -= np.log(positive / (sum(scores) - scores[i]))
  return total / (2 * count)


def projections(state, batch):
  w = np.asarray(state.online.params["encoder"]["w"], np.float64)
  return [np.asarray(batch[v]).reshape(BATCH, -1) @ w for v in sorted(batch)]


@pytest.mark.parametrize("num_devices", [1, 4])
def test_simclr_is_nt_xent(num_devices):
  state, batch = begin(BARE, SIMCLR), views()
  _, logs = step(BARE, SIMCLR, state, batch, num_devices)
  temperature = CONTRASTIVE.temperature
  # Two directions, each 2 alpha times the mean over its N views.
  expected = 4.0 * temperature * nt_xent(*projections(state, batch), 0.2)
  assert expected > 0.5
  np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)


@pytest.mark.parametrize("num_devices", [1, 4])
def test_simclr_has_the_gradient_of_nt_xent(num_devices):
  state, batch = begin(BARE, SIMCLR), views()
  new, _ = step(BARE, SIMCLR, state, batch, num_devices)
  w = np.asarray(state.online.params["encoder"]["w"], np.float64)
  direction = np.random.default_rng(0).normal(size=w.shape)
  moved = np.asarray(new.online.params["encoder"]["w"], np.float64) - w

  def value(shift):
    x1, x2 = (np.asarray(batch[v]).reshape(BATCH, -1) for v in sorted(batch))
    shifted = w + shift * direction
    return 0.8 * nt_xent(x1 @ shifted, x2 @ shifted, 0.2)

  slope = (value(1e-5) - value(-1e-5)) / 2e-5
  assert abs(slope) > 0.1
  np.testing.assert_allclose(np.sum(moved * direction), -0.1 * slope, rtol=1e-3)


def test_real_devices_agree_with_one():
  state, batch = begin(BARE, SIMCLR), views()
  alone, _ = step(BARE, SIMCLR, state, batch)
  update = byol.make_update(BARE, OPTIMIZER, RATES, SIMCLR)
  mapped = parallel.pmap(lambda s, x: update(s, x, jax.random.key(0)))
  many, logs = mapped(parallel.replicate(state), parallel.shard(batch))
  assert parallel.first(logs)["loss"] > 0.5
  for x, y in zip(
    jax.tree.leaves(alone.online.params),
    jax.tree.leaves(parallel.first(many).online.params),
    strict=True,
  ):
    np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)


def test_without_negatives_it_is_the_regression_loss():
  state, batch = begin(NET), views()
  _, logs = step(NET, loss.BYOL, state, batch)
  targets = state._replace(online=state.target)
  q = np.asarray(state.online.params["predictor"]["w"], np.float64)
  total = 0.0
  online, target = projections(state, batch), projections(targets, batch)
  for z, goal in ((online[0], target[1]), (online[1], target[0])):
    dots = np.sum((z @ q) * goal, axis=1)
    norms = np.linalg.norm(z @ q, axis=1) * np.linalg.norm(goal, axis=1)
    total += np.mean(2.0 - 2.0 * dots / norms)
  assert total > 0.1
  np.testing.assert_allclose(logs["loss"], total, rtol=1e-5)


def test_the_parts_add_up():
  objective = objectives.Objective(negative_weight=0.5, scale=3.0)
  settings = loss.Settings(objective)
  _, logs = step(NET, settings, begin(NET), views())
  expected = logs["regression_loss"] + 0.5 * logs["negative_loss"]
  assert abs(logs["negative_loss"]) > 0.1
  np.testing.assert_allclose(logs["loss"], 3.0 * expected, rtol=1e-6)


@pytest.mark.parametrize(
  ("kind", "through_target"),
  [("online", True), ("stop_gradient", False)],
)
def test_the_gradient_flows_through_an_online_target(kind, through_target):
  settings = loss.Settings(target=kind)
  state, batch = begin(NET, settings), views()
  grad_fn = jax.grad(loss.make_loss_fn(NET, settings), has_aux=True)
  mapped = parallel.one_device(
    lambda p, x: grad_fn(p, loss.Stats({}, {}), ({}, ()), x)[0]
  )
  grads = mapped(state.online.params, batch)["encoder"]["w"]

  def whole(w, w_target):
    total = 0.0
    for own, other in (("view1", "view2"), ("view2", "view1")):
      x, y = (batch[v].reshape(BATCH, -1) for v in (own, other))
      q = x @ w @ state.online.params["predictor"]["w"]
      difference = objectives.unit(q) - objectives.unit(y @ w_target)
      total += jnp.mean(jnp.sum(difference**2, axis=-1))
    return total

  w = state.online.params["encoder"]["w"]
  by_online, by_target = jax.grad(whole, argnums=(0, 1))(w, w)
  assert jnp.linalg.norm(by_target) > 1e-2
  expected = by_online + by_target if through_target else by_online
  np.testing.assert_allclose(grads, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
  ("kind", "moves"), [("moving_average", True), ("fixed", False)]
)
def test_only_an_average_moves_the_target(kind, moves):
  settings = loss.Settings(target=kind)
  state = begin(NET, settings)
  new, _ = step(NET, settings, state, views())
  old, now = (s.target.params["encoder"]["w"] for s in (state, new))
  assert jnp.any(new.online.params["encoder"]["w"] != old)
  assert bool(jnp.any(old != now)) == moves


@pytest.mark.parametrize("kind", ["stop_gradient", "online"])
def test_without_a_second_network_none_is_kept(kind):
  settings = loss.Settings(target=kind)
  state, _ = step(NET, settings, begin(NET, settings), views())
  assert state.target == Variables({}, {})


@pytest.mark.parametrize(
  "objective", [objectives.Objective(), objectives.Objective(symmetric=False)]
)
@pytest.mark.parametrize("unrolled", [False, True])
def test_micro_batches_without_norms_are_one_batch(objective, unrolled):
  whole, parts = (loss.Settings(objective, num_micro_batches=n) for n in (1, 4))
  parts = parts._replace(unrolled=unrolled)
  state, batch = begin(NET), views()
  one, logs = step(NET, whole, state, batch)
  many, mean = step(NET, parts, state, batch)
  assert logs["loss"] > 0.1
  np.testing.assert_allclose(logs["loss"], mean["loss"], rtol=1e-5)
  before, after, again = (
    x.online.params["encoder"]["w"] for x in (state, one, many)
  )
  assert jnp.linalg.norm(after - before) > 1e-3
  np.testing.assert_allclose(after, again, rtol=1e-5, atol=1e-6)


def test_micro_batches_see_their_own_negatives():
  state, batch = begin(BARE, SIMCLR), views()
  _, logs = step(BARE, SIMCLR._replace(num_micro_batches=2), state, batch)
  z1, z2 = projections(state, batch)
  halves = [
    nt_xent(z1[part], z2[part], 0.2) for part in (slice(0, 4), slice(4, 8))
  ]
  np.testing.assert_allclose(logs["loss"], 0.8 * np.mean(halves), rtol=1e-5)


def test_one_direction_is_half_of_both():
  state, batch = begin(NET), views()
  swapped = {"view1": batch["view2"], "view2": batch["view1"]}
  single = loss.Settings(objectives.Objective(symmetric=False))
  values = [
    step(NET, settings, state, x)[1]["loss"]
    for settings, x in (
      (loss.BYOL, batch),
      (single, batch),
      (single, swapped),
    )
  ]
  assert values[1] != values[2]
  np.testing.assert_allclose(values[0], values[1] + values[2], rtol=1e-5)


QUEUE = loss.Settings(
  CONTRASTIVE._replace(negatives="queue", queue_size=16, symmetric=False)
)


def test_a_queue_is_moco():
  state, batch = begin(NET, QUEUE), views()
  _, logs = step(NET, QUEUE, state, batch)
  targets = state._replace(online=state.target)
  q = np.asarray(state.online.params["predictor"]["w"], np.float64)
  query = objectives.unit(projections(state, batch)[0] @ q)
  key = objectives.unit(projections(targets, batch)[1])
  positive = np.sum(query * key, axis=1, keepdims=True)
  scores = np.concatenate([positive, query @ state.queue.T], axis=1) / 0.2
  own = scores - np.log(np.sum(np.exp(scores), axis=1, keepdims=True))
  expected = -np.mean(own[:, 0])
  assert expected > 0.5
  np.testing.assert_allclose(logs["loss"] / 0.4, expected, rtol=1e-5)


@pytest.mark.parametrize("num_devices", [1, 4])
def test_the_queue_takes_in_the_keys_of_a_step(num_devices):
  state, batch = begin(NET, QUEUE), views()
  targets = state._replace(online=state.target)
  key = objectives.unit(projections(targets, batch)[1])
  new, _ = step(NET, QUEUE, state, batch, num_devices)
  np.testing.assert_allclose(new.queue[:BATCH], key, rtol=1e-4, atol=1e-6)
  np.testing.assert_array_equal(new.queue[BATCH:], state.queue[BATCH:])
  # From step 3 the second half again: it goes round.
  later, _ = step(NET, QUEUE, state._replace(step=jnp.int32(3)), batch)
  np.testing.assert_allclose(later.queue[BATCH:], key, rtol=1e-4, atol=1e-6)


def test_a_queue_sees_the_keys_of_all_parts():
  state, batch = begin(NET, QUEUE), views()
  one, _ = step(NET, QUEUE, state, batch)
  many, _ = step(NET, QUEUE._replace(num_micro_batches=2), state, batch)
  assert jnp.any(one.queue != state.queue)
  np.testing.assert_allclose(one.queue, many.queue, rtol=1e-5)


def test_the_best_linear_predictor_gets_no_gradient():
  x, y = jax.random.normal(jax.random.key(0), (2, BATCH, DIM))

  def total(x):
    fitted = parallel.one_device(lambda z: objectives.least_squares(z, y, AXIS))
    return jnp.sum(fitted(x) * y)

  q = np.linalg.lstsq(np.float64(x), np.float64(y), rcond=None)[0]
  expected = np.float64(y) @ q.T
  assert np.linalg.norm(expected) > 0.1
  np.testing.assert_allclose(jax.grad(total)(x), expected, rtol=1e-3, atol=1e-4)


def test_one_direction_has_negatives_of_both_views():
  objective = CONTRASTIVE._replace(symmetric=False)
  settings = loss.Settings(objective)
  state, batch = begin(NET, settings), views()
  _, logs = step(NET, settings, state, batch)
  q = np.asarray(state.online.params["predictor"]["w"], np.float64)
  phi = objectives.unit(projections(state, batch)[0] @ q)
  targets = projections(state._replace(online=state.target), batch)
  same, other = map(objectives.unit, targets)
  scores = np.exp(np.concatenate([phi @ same.T, phi @ other.T], axis=1) / 0.2)
  scores[np.arange(BATCH), np.arange(BATCH)] = 0.0
  positive = np.diagonal(scores[:, BATCH:])
  expected = -np.mean(np.log(positive / scores.sum(axis=1)))
  assert expected > 0.5
  np.testing.assert_allclose(logs["loss"] / 0.4, expected, rtol=1e-5)


def test_the_scale_leaves_the_classifier_alone():
  classes = jnp.eye(DIM, 3)

  def apply(variables, images, is_training):
    outputs, stats = NET.apply(variables, images, is_training)
    logits = jax.lax.stop_gradient(outputs.representation)[..., :DIM] @ classes
    return outputs._replace(logits=logits), stats

  net = NET._replace(apply=apply)
  batch = {**views(), "labels": jnp.arange(BATCH) % 3}
  one, many = (
    step(net, loss.Settings(objectives.Objective(scale=x)), begin(net), batch)
    for x in (1.0, 3.0)
  )
  assert one[1]["classification_loss"] > 0.1
  np.testing.assert_allclose(
    many[1]["loss"] - one[1]["loss"],
    2.0 * one[1]["regression_loss"],
    rtol=1e-4,
  )


@pytest.mark.parametrize("copied", [False, True])
def test_a_target_may_start_as_a_copy(copied):
  state = begin(NET, loss.Settings(copied=copied))
  same = jax.tree.map(
    lambda x, y: bool(jnp.all(x == y)), state.online, state.target
  )
  assert all(jax.tree.leaves(same)) == copied


@pytest.mark.parametrize("num_devices", [1, 2])
def test_the_best_linear_predictor_is_numpys(num_devices):
  settings = loss.Settings(predictor="least_squares", target="stop_gradient")
  state, batch = begin(BARE, settings), views()
  _, logs = step(BARE, settings, state, batch, num_devices)
  z1, z2 = projections(state, batch)
  total = 0.0
  for z, goal in ((z1, z2), (z2, z1)):
    best = z @ np.linalg.lstsq(z, goal, rcond=None)[0]
    dots = np.sum(best * goal, axis=1)
    norms = np.linalg.norm(best, axis=1) * np.linalg.norm(goal, axis=1)
    total += np.mean(2.0 - 2.0 * dots / norms)
  assert total > 1e-2
  np.testing.assert_allclose(logs["loss"], total, rtol=2e-3)


def test_each_part_makes_its_own_views():
  batch = views()
  numbered = {"index": jnp.arange(BATCH), "pool_images": batch["view1"]}

  def make_views(part, key):
    noise = jax.random.uniform(key)
    one = part["pool_images"][part["index"]]
    # The norm makes the loss depend on the part that it is taken over.
    return {"view1": one, "view2": one[::-1] * noise}

  settings = loss.Settings(num_micro_batches=2)
  state = begin(NET)
  update = byol.make_update(NET, OPTIMIZER, RATES, settings, make_views)
  key = jax.random.key(3)
  run = parallel.one_device(lambda x: update(state, x, key)[1])
  noise = jax.random.uniform(key)
  view2 = jnp.concatenate([batch["view1"][3::-1], batch["view1"][:3:-1]])
  expected = step(
    NET, settings, state, {"view1": batch["view1"], "view2": view2 * noise}
  )[1]
  assert expected["loss"] > 0.1
  np.testing.assert_allclose(run(numbered)["loss"], expected["loss"], rtol=1e-5)


@pytest.mark.parametrize(
  ("settings", "name"),
  [
    (loss.BYOL, "BYOL"),
    (SIMCLR, "SimCLR"),
    (QUEUE._replace(predictor="none"), "MoCo"),
    (loss.Settings(predictor="none"), "Mean Teacher"),
    (loss.Settings(target="fixed"), "trained"),
    (loss.Settings(QUEUE.objective), "trained"),
  ],
)
def test_known_members_of_the_family_have_names(settings, name):
  assert settings.name == name
