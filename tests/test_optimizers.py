import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from byol_jax import optimizers

RATES = np.array([0.0, 0.1, 0.3, 0.3, 0.2, 0.15, 0.1, 0.05, 0.02, 0.4])
NAMES = [
  ("net/~/conv", "w"),
  ("net/~/batchnorm_0", "scale"),
  ("net/~/batchnorm_0", "offset"),
  ("head/linear", "b"),
  ("zero", "w"),
]


def trees(seed):
  rng = np.random.default_rng(seed)
  values = {}
  for module, name in NAMES:
    value = rng.normal(size=(3, 4)).astype(np.float32)
    if module == "zero" and seed == 0:
      value = np.zeros_like(value)
    values.setdefault(module, {})[name] = value
  return values


def numpy_lars(params, grads, rates, decay, momentum, trust):
  """The authors' order, in float64, one parameter at a time."""
  params = {key: params[key[0]][key[1]].astype(np.float64) for key in NAMES}
  buffers = {key: np.zeros_like(value) for key, value in params.items()}
  for rate, grad in zip(rates, grads, strict=True):
    for key in NAMES:
      g = grad[key[0]][key[1]].astype(np.float64)
      if key[1] == "w":
        g = g + decay * params[key]
        size, norm = np.linalg.norm(params[key]), np.linalg.norm(g)
        g = g * (trust * size / norm if size > 0 and norm > 0 else 1.0)
      buffers[key] = momentum * buffers[key] + g
      params[key] = params[key] - rate * buffers[key]
  return params, buffers


def test_ten_lars_steps_with_a_changing_rate_match_numpy():
  def schedule(step):
    return jax.numpy.asarray(RATES, np.float32)[step]

  optimizer = optimizers.lars(schedule, 0.01, 0.9, 0.001)
  params, grads = trees(0), [trees(seed) for seed in range(1, 11)]
  expected, buffers = numpy_lars(params, grads, RATES, 0.01, 0.9, 0.001)
  state = optimizer.init(params)
  for grad in grads:
    updates, state = optimizer.update(grad, state, params)
    params = optax.apply_updates(params, updates)
  start = trees(0)
  for module, name in NAMES:
    moved = np.linalg.norm(params[module][name] - start[module][name])
    assert moved > 1e-4
    key = (module, name)
    np.testing.assert_allclose(
      params[module][name], expected[key], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
      state[2].trace[module][name], buffers[key], rtol=1e-5, atol=1e-6
    )


def test_lars_is_not_the_order_of_optax():
  def schedule(step):
    return jax.numpy.asarray(RATES, np.float32)[step]

  ours = optimizers.lars(schedule, 0.0, 0.9, 0.001)
  other = optax.lars(
    schedule, 0.0, trust_ratio_mask=optimizers.decayed, momentum=0.9
  )
  results = []
  for optimizer in (ours, other):
    params = trees(0)
    state = optimizer.init(params)
    for seed in range(1, 5):
      updates, state = optimizer.update(trees(seed), state, params)
      params = optax.apply_updates(params, updates)
    results.append(params["head/linear"]["b"])
  assert np.max(np.abs(results[0] - results[1])) > 1e-3


def test_decayed_marks_weights_only():
  assert optimizers.decayed(trees(0)) == {
    "net/~/conv": {"w": True},
    "net/~/batchnorm_0": {"scale": False, "offset": False},
    "head/linear": {"b": False},
    "zero": {"w": True},
  }


@pytest.mark.parametrize(("trust", "factor"), [(1e-3, None), (1e3, 1.0)])
def test_clipped_trust_never_exceeds_the_learning_rate(trust, factor):
  params, grads = trees(1), trees(2)
  optimizer = optimizers.lars(lambda step: 0.5, 0.0, 0.9, trust, True)
  updates, _ = optimizer.update(grads, optimizer.init(params), params)
  weight, grad = params["net/~/conv"]["w"], grads["net/~/conv"]["w"]
  if factor is None:
    factor = trust * np.linalg.norm(weight) / np.linalg.norm(grad) / 0.5
  expected = -0.5 * factor * grad
  np.testing.assert_allclose(updates["net/~/conv"]["w"], expected, rtol=1e-5)


def test_sgd_decays_every_parameter():
  params = trees(1)
  grads = jax.tree.map(np.zeros_like, params)
  optimizer = optimizers.sgd(lambda step: 0.1, 0.5, 0.9)
  updates, _ = optimizer.update(grads, optimizer.init(params), params)
  for module, name in NAMES:
    np.testing.assert_allclose(
      updates[module][name], -0.05 * params[module][name], rtol=1e-6
    )


def test_adamw_spares_biases_and_norms():
  params = trees(1)
  grads = jax.tree.map(np.zeros_like, params)
  optimizer = optimizers.adamw(lambda step: 0.1, 0.5)
  updates, _ = optimizer.update(grads, optimizer.init(params), params)
  np.testing.assert_allclose(
    updates["net/~/conv"]["w"], -0.05 * params["net/~/conv"]["w"], rtol=1e-6
  )
  assert np.all(params["head/linear"]["b"] != 0.0)
  np.testing.assert_array_equal(updates["head/linear"]["b"], 0.0)


def test_multipliers_scale_the_rate_of_their_modules():
  params = {
    "res_net/conv": {"w": jnp.ones((2, 3))},
    "projector/linear": {"w": jnp.full((3, 2), 2.0), "b": jnp.ones(2)},
    "predictor/linear": {"w": jnp.full((2, 2), 3.0)},
  }
  grads = jax.tree.map(lambda x: 0.1 * x, params)
  plain = optimizers.lars(lambda step: 0.5, 1e-2, 0.9, 1e-3)
  factors = {"projector": 2.0, "predictor": 0.0}
  scaled = optimizers.with_multipliers(plain, factors)

  def second_update(optimizer):
    state = optimizer.init(params)
    _, state = optimizer.update(grads, state, params)
    return optimizer.update(grads, state, params)[0]

  one, many = second_update(plain), second_update(scaled)
  assert jnp.linalg.norm(one["projector/linear"]["w"]) > 1e-4
  for module, leaves in one.items():
    factor = factors.get(module.split("/")[0], 1.0)
    for name, leaf in leaves.items():
      np.testing.assert_allclose(many[module][name], factor * leaf, rtol=1e-6)


def test_multipliers_may_change_from_run_to_run():
  params = {"predictor/linear": {"w": jnp.ones((2, 2))}}
  plain = optimizers.sgd(lambda step: 0.5, 1e-2, 0.9)
  scaled = optimizers.with_multipliers(plain, {"predictor": 3.0})
  states = [jax.tree.structure(x.init(params)) for x in (plain, scaled)]
  assert states[0] == states[1]


def test_multipliers_of_one_change_nothing():
  plain = optimizers.lars(lambda step: 0.5, 1e-2, 0.9, 1e-3)
  ones = {"projector": 1.0, "predictor": 1.0}
  assert optimizers.with_multipliers(plain, ones) is plain
