import jax
import numpy as np
import pytest
import tiny

from byol_jax import inputs, parallel, pretrain
from byol_jax.data import memory, sources

# Each random draw is time for the compiler.
FEW_DRAWS = {
  "network__projector_hidden": (),
  "network__predictor_hidden": (),
}
CONFIG = tiny.config(
  optimizer__trust_coefficient=0.05, target__base_decay=0.5, **FEW_DRAWS
)


def _parts(config=CONFIG):
  data = inputs.open_inputs(config)
  parts = pretrain.make_parts(
    config, sources.size(data.train), data.num_classes, data.views
  )
  return data, parts


def _run(data, parts, num_devices, num_steps=3):
  """The first state and the last, with the same pictures on so many devices."""
  devices = jax.devices()[:num_devices]

  def mapped(function):
    return jax.pmap(function, axis_name=parallel.AXIS, devices=devices)

  def copies(x):
    return np.broadcast_to(x, (num_devices, *np.shape(x)))

  pool = {key: copies(x) for key, x in memory.pool(data.train).items()}
  reader = sources.Reader(CONFIG.seed, CONFIG.training.batch_size, 0, 1)
  batches = memory.train_batches(data.train, data.views, reader, 0)
  init, step = mapped(parts.init), mapped(parts.step)
  state = None
  for _, batch in zip(range(num_steps), batches, strict=False):
    placed = {**pool, "index": batch["index"].reshape(num_devices, -1)}
    if state is None:
      state = init(placed)
      start = parallel.first(state)
    state, _ = step(state, placed)
  return start, parallel.first(state)


@pytest.mark.slow
def test_one_device_equals_two():
  data, parts = _parts()
  start1, one = _run(data, parts, 1)
  start2, two = _run(data, parts, 2)
  weight = "projector/linear"
  for name in ("online", "target"):
    first, last = (
      getattr(state, name).params[weight]["w"] for state in (start1, one)
    )
    assert np.abs(last - first).max() > 1e-4
  momentum = jax.tree.leaves(one.opt_state)
  assert max(np.abs(leaf).max() for leaf in momentum) > 1e-3
  for ours, theirs in ((start1, start2), (one, two)):
    jax.tree.map(
      lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5),
      ours,
      theirs,
    )


@pytest.mark.slow
def test_micro_batches_come_from_the_config():
  config = tiny.config(
    training__micro_batches=3, augment__set="crop_only", **FEW_DRAWS
  )
  _, state = _run(*_parts(config), 1, 1)
  # Two views of each of the three parts.
  counters = {
    leaves["counter"].item()
    for module, leaves in state.online.stats.items()
    if "counter" in leaves
  }
  assert counters == {6}
