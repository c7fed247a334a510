import jax
import pytest
import tiny

from byol_jax import assembly, inputs, lowering, parallel, platforms


def test_what_is_lowered_for_a_tpu_is_not_made_for_a_cpu():
  config = tiny.config(training__micro_batches=2)
  assert assembly.settings(config).unrolled
  with platforms.lowering_for("tpu"):
    assert not assembly.settings(config).unrolled
  assert parallel.is_cpu()


@pytest.mark.parametrize(
  ("where", "labelled"),
  [("memory", True), ("memory", False), ("device", True), ("host", False)],
)
def test_batches_have_the_shapes_that_training_gets(where, labelled):
  config = tiny.config(data__views=where, data__labelled=labelled)
  data = inputs.open_inputs(config)
  batch = next(inputs.train_batches(data, 0, tiny.BATCH_SIZE, 0))
  shapes = lowering.batch_shapes(config, lowering.find_sizes(config), 2)
  assert {k: (x.shape[1:], x.dtype) for k, x in batch.items()} == {
    k: (x.shape, x.dtype) for k, x in shapes.items()
  }


def test_pictures_on_the_devices_need_their_size():
  sizes = lowering.Sizes(num_images=500, num_classes=5)
  with pytest.raises(ValueError, match="give --stored_px"):
    lowering.batch_shapes(tiny.config(), sizes, 2)


@pytest.mark.parametrize("shared", [False, True])
def test_the_step_is_lowered_for_all_devices_and_takes_over_the_state(shared):
  config = tiny.config(training__num_epochs=1.0, training__shard_state=shared)
  sizes = lowering.Sizes(num_images=500, num_classes=5, stored_px=32)
  lowered = lowering.lower(config, sizes, tuple(jax.devices()))
  state, batch = lowered.args_info[0]
  # Most arrays of the state get their memory from the ones before.
  donated = lowered.as_text().count("tf.aliasing_output")
  assert donated > len(jax.tree.leaves(state)) / 2
  weight = state.target.params["projector/linear"]["w"]
  assert weight.shape == ((2, 8, 16) if shared else (2, 16, 16))
  assert batch["pool_images"].shape == (2, 500, 32, 32, 3)
  assert batch["index"].shape == (2, tiny.BATCH_SIZE // 2)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_convolutions_of_the_step_are_of_the_configs_precision(dtype):
  config = tiny.config(training__compute_dtype=dtype, training__num_epochs=1.0)
  sizes = lowering.Sizes(num_images=500, num_classes=5, stored_px=32)
  lowered = lowering.lower(config, sizes, tuple(jax.devices()))
  operations = lowered.as_text().splitlines()
  convolutions = [x for x in operations if "stablehlo.convolution" in x]
  wanted = {"float32": "xf32>", "bfloat16": "xbf16>"}[dtype]
  assert len(convolutions) > 2
  assert all(wanted in x for x in convolutions)
