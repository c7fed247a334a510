import math
import re

import jax
import pytest
import tiny

from byol_jax import assembly, describe


def _facts(config):
  lines = describe.describe(config).splitlines()
  return {line[:18].strip(): line[20:] for line in lines}


def test_describe_says_what_follows_from_the_config():
  config = tiny.config(training__warmup_epochs=tiny.epochs(1))
  found = _facts(config)
  assert found["training pictures"].startswith(f"{tiny.NUM_IMAGES:,}, ")
  assert found["steps"] == "4 of 84 images"
  assert found["warm-up steps"] == "1"
  assert found["peak learning rate"] == "0.328125"
  assert found["devices"] == "2 on 1 hosts, 84 images a host and step"
  assert found["evaluation every"] == "2 steps and at the end"
  assert found["checkpoint every"] == "1 steps and at the end"


def test_describe_counts_parameters_and_bytes():
  config = tiny.config()
  found = _facts(config)
  num_classes = int(found["training pictures"].split()[1])
  state = assembly.state_shapes(config, num_classes)
  sizes = [math.prod(leaf.shape) for leaf in jax.tree.leaves(state)]
  params = sum(
    math.prod(leaf.shape) for leaf in jax.tree.leaves(state.online.params)
  )
  assert found["parameters"].startswith(f"{params:,}, the encoder ")
  # Four bytes a number, two checkpoints to keep and one being written.
  megabytes = 4 * sum(sizes) / 1e6
  assert found["disk"] == f"{3 * megabytes:,.1f} MB of checkpoints"
  assert found["memory a device"].startswith(f"{megabytes:,.1f} MB of state")


def test_a_period_of_0_is_the_end_only():
  found = _facts(tiny.config(checkpoint__every_epochs=0.0))
  assert found["checkpoint every"] == "at the end only"


def test_unlabelled_data_is_said_so():
  found = _facts(tiny.config(data__labelled=False))
  assert found["training pictures"] == f"{tiny.NUM_IMAGES:,}, no classes"


def test_memory_holds_the_views_of_one_part_at_a_time():
  found = _facts(tiny.config(data__image_px=64, training__micro_batches=3))
  # 84 pictures in 3 parts on 2 devices, two views of float32 each.
  megabytes = 2 * 14 * 64 * 64 * 3 * 4 / 1e6
  assert f"{megabytes:.1f} MB of views" in found["memory a device"]


def test_devices_that_share_a_state_hold_less_of_it():
  kept = [
    re.match(r"([\d.]+) MB of state(?:, ([\d.]+) MB of gathered weights)?,", x)
    for x in (
      _facts(tiny.config(network__projector_hidden=(16384,), **choice))[
        "memory a device"
      ]
      for choice in ({}, {"training__shard_state": True})
    )
  ]
  whole, part = (float(x[1]) for x in kept)
  # Norms and their averages are not shared.
  assert 0.5 * whole < part < 0.65 * whole
  # Of online and target network, beside which the state has the momentum.
  assert kept[0][2] is None
  assert float(kept[1][2]) == pytest.approx(2 / 3 * whole, rel=0.1)
