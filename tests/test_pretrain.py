import pytest
import tiny

from byol_jax import inputs, parallel, pretrain
from byol_jax.data import sources


@pytest.mark.slow
def test_micro_batches_come_from_the_config():
  config = tiny.config(
    training__micro_batches=3,
    augment__set="crop_only",
    # Each random draw is time for the compiler.
    network__projector_hidden=(),
    network__predictor_hidden=(),
  )
  data = inputs.open_inputs(config)
  parts = pretrain.make_parts(
    config, sources.size(data.train), data.num_classes, data.views
  )
  batch = next(inputs.train_batches(data, 0, tiny.BATCH_SIZE, 0))
  state, _ = parallel.pmap(parts.step)(parallel.pmap(parts.init)(batch), batch)
  # Two views of each of the three parts.
  counters = {
    leaves["counter"].item()
    for module, leaves in parallel.first(state.online.stats).items()
    if "counter" in leaves
  }
  assert counters == {6}
