"""Linear heads and whole encoders: losses, who is trained, independence."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import special

from byol_jax import classify, optimizers, parallel
from byol_jax.networks import network

DIM, CLASSES, BATCH = 6, 4, 16
PLAIN = classify.Objective(
  multi_label=False, label_smoothing=0.0, logit_clip=0.0, logit_penalty=0.0
)
SPEC = network.EncoderSpec(
  encoder="one_conv",
  width_multiplier=1,
  stem="cifar",
  zero_init_last_scale=False,
  encoder_norm="batch",
  norm_groups=16,
  weight_standardization=False,
  norm_decay=0.9,
  norm_epsilon=1e-5,
  mean_rgb=(0.5, 0.5, 0.5),
  std_rgb=(0.2, 0.2, 0.2),
)


def _sgd(rates, state, frozen, decay=0.0):
  """Momentum SGD at constant rates, one a head."""
  rates = np.array(rates, np.float32)
  tree = {"heads": {"w": rates[:, None, None], "b": rates[:, None]}}
  decays = {"heads": {"w": decay, "b": 0.0}}
  if not frozen:
    params = state.encoder.params
    tree["encoder"] = jax.tree.map(lambda x: float(rates[0]), params)
    decays["encoder"] = jax.tree.map(lambda x: decay, params)
  return optimizers.sgd_sweep(
    optax.constant_schedule(1.0), tree, decays, momentum=0.9
  )


def _features(seed=0):
  random = np.random.default_rng(seed)
  return {
    "features": random.normal(size=(BATCH, DIM)).astype(np.float32),
    "labels": random.integers(0, CLASSES, BATCH).astype(np.int32),
  }


def _heads(num):
  return classify.init_heads(jax.random.key(1), DIM, CLASSES, num)


def _train(rates, num_steps=5, objective=PLAIN, batch=None):
  """A state after some steps on features, and its last metrics."""
  state = classify.State(jnp.zeros([], jnp.int32), (), _heads(len(rates)), ())
  optimizer = _sgd(rates, state, frozen=True)
  params = classify.trained(state, frozen=True)
  state = state._replace(opt_state=optimizer.init(params))
  update = classify.make_update(None, optimizer, objective, frozen=True)
  step = jax.jit(parallel.one_device(update))
  for _ in range(num_steps):
    state, metrics = step(state, batch or _features())
  return state, metrics


def _numpy_loss(objective, w, b, batch):
  """The loss of one head, in float64."""
  logits = batch["features"].astype(np.float64) @ w + b
  if objective.logit_clip:
    logits = objective.logit_clip * np.tanh(logits / objective.logit_clip)
  smooth = objective.label_smoothing
  wanted = (1 - smooth) * np.eye(CLASSES)[batch["labels"]] + smooth / CLASSES
  losses = -np.sum(wanted * special.log_softmax(logits, axis=1), axis=1)
  return np.mean(losses + objective.logit_penalty * np.mean(logits**2, axis=1))


@pytest.mark.parametrize(
  "changes",
  [{}, {"label_smoothing": 0.3}, {"logit_clip": 0.7, "logit_penalty": 0.5}],
)
def test_loss_is_that_of_numpy(changes):
  objective = PLAIN._replace(**changes)
  heads = jax.tree.map(lambda x: np.asarray(x[0], np.float64), _heads(1))
  _, metrics = _train((0.1,), num_steps=1, objective=objective)
  wanted = _numpy_loss(objective, heads["w"], heads["b"], _features())
  assert wanted > 0.5
  np.testing.assert_allclose(metrics["loss"], wanted, rtol=1e-5)


def test_labels_of_minus_one_are_left_out():
  objective = PLAIN._replace(multi_label=True)
  batch = _features()
  labels = np.random.default_rng(3).integers(-1, 2, (BATCH, CLASSES))
  assert (labels == -1).any()
  batch["labels"] = labels.astype(np.int32)
  _, metrics = _train((0.1,), num_steps=1, objective=objective, batch=batch)
  logits = batch["features"] @ np.asarray(_heads(1)["w"][0], np.float64)
  entropy = -np.log(special.expit(np.where(labels == 1, logits, -logits)))
  wanted = np.mean(np.sum(np.where(labels >= 0, entropy, 0.0), axis=1))
  np.testing.assert_allclose(metrics["loss"], wanted, rtol=1e-5)
  assert "train_top1" not in metrics


def test_heads_side_by_side_are_those_of_single_runs():
  rates = (0.5, 0.05, 0.2)
  together, metrics = _train(rates)
  for head, rate in enumerate(rates):
    alone, single = _train((rate,))
    np.testing.assert_allclose(
      together.heads["w"][head], alone.heads["w"][0], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
      metrics[f"loss_{head}"], single["loss"], rtol=1e-5
    )
  assert jnp.abs(together.heads["w"][0] - together.heads["w"][1]).max() > 0.01


def test_a_diverged_head_leaves_the_others_alone():
  batch = _features()
  batch["features"] *= 10.0  # So that the first update overflows.
  together, metrics = _train((0.1, 1e38), num_steps=4, batch=batch)
  alone, _ = _train((0.1,), num_steps=4, batch=batch)
  assert np.isfinite(metrics["loss"])
  np.testing.assert_array_equal(together.heads["w"][1], _heads(1)["w"][0])
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(together))
  np.testing.assert_allclose(
    together.heads["w"][0], alone.heads["w"][0], rtol=1e-5, atol=1e-6
  )


def _train_encoder(frozen):
  net = network.make_encoder(SPEC, parallel.AXIS)
  random = np.random.default_rng(0)
  batch = {
    "view1": random.uniform(size=(BATCH, 8, 8, 3)).astype(np.float32),
    "labels": random.integers(0, CLASSES, BATCH).astype(np.int32),
  }
  variables = parallel.one_device(lambda x: net.init(jax.random.key(0), x))(
    batch["view1"]
  )
  heads = classify.init_heads(jax.random.key(1), 16, CLASSES, 1)
  before = classify.State(jnp.zeros([], jnp.int32), variables, heads, ())
  optimizer = _sgd((0.1,), before, frozen)
  params = classify.trained(before, frozen)
  before = before._replace(opt_state=optimizer.init(params))
  update = classify.make_update(net, optimizer, PLAIN, frozen)
  after, metrics = jax.jit(parallel.one_device(update))(before, batch)
  assert 0 < metrics["loss"] < 10
  return before, after


def _same(one, other):
  pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
  return [bool(np.array_equal(x, y)) for x, y in pairs]


def test_a_frozen_encoder_stays_as_it_is():
  before, after = _train_encoder(frozen=True)
  assert all(_same(before.encoder, after.encoder))
  assert not any(_same(before.heads, after.heads))


def test_fine_tuning_moves_weights_and_averages():
  before, after = _train_encoder(frozen=False)
  assert not any(_same(before.encoder.params, after.encoder.params))
  # The averages began with this batch's statistics; their counters move on.
  assert not all(_same(before.encoder.stats, after.encoder.stats))
  assert not any(_same(before.heads, after.heads))


def test_sweep_of_sgd_is_nesterovs_with_coupled_decay():
  x = np.array([[1.0, -2.0], [1.0, -2.0]])
  rates, decays = np.array([[0.1], [0.3]], np.float32), 0.5
  optimizer = optimizers.sgd_sweep(
    lambda step: 1.0 / (1.0 + step), {"w": rates}, {"w": decays}, momentum=0.9
  )
  params = {"w": jnp.array(x, jnp.float32)}
  state, buffer = optimizer.init(params), np.zeros_like(x)
  for step in range(3):
    gradient = x**2
    updates, state = optimizer.update(
      {"w": jnp.array(gradient, jnp.float32)}, state, params
    )
    params = optax.apply_updates(params, updates)
    direction = gradient + decays * x
    buffer = 0.9 * buffer + direction
    x = x - rates / (1.0 + step) * (direction + 0.9 * buffer)
    np.testing.assert_allclose(params["w"], x, rtol=1e-5)
