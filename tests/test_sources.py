"""The order of reading: every host's part, step by step."""

import numpy as np
import pytest

from byol_jax.data import sources


def _reader(host, num_hosts, batch_size=12):
  return sources.Reader(0, batch_size, host, num_hosts)


def test_steps_per_epoch_drops_the_remainder():
  assert sources.steps_per_epoch(100, 32) == 3
  assert sources.steps_per_epoch(32, 32) == 1


def test_steps_per_epoch_names_a_set_smaller_than_a_batch():
  with pytest.raises(ValueError, match=r"31 images.* 32"):
    sources.steps_per_epoch(31, 32)


def test_log_remainder_speaks_only_of_what_is_left_out(caplog):
  sources.log_remainder(96, 32)
  assert not caplog.records
  sources.log_remainder(100, 32)
  assert "leaves out 4 of 100 images" in caplog.text


def test_size_and_labels_of_each_kind_of_source():
  images, labels = np.zeros((3, 4, 4, 3), np.uint8), np.zeros(3, np.int32)
  arrays = sources.ArraySource(images, labels, ("a",))
  encoded = sources.EncodedSource(3, labels, ("a",), bytes, str, labels > 0)
  records = sources.RecordSource(3, True, ("a",), bytes)
  stream = sources.StreamSource(3, True, ("a",), bytes)
  for source in (arrays, encoded, records, stream):
    assert sources.size(source) == 3
    assert sources.is_labelled(source)
  assert not sources.is_labelled(arrays._replace(labels=labels[:0]))
  assert not sources.is_labelled(stream._replace(labelled=False))


def test_local_size_refuses_hosts_that_do_not_divide_the_batch():
  assert sources.local_size(_reader(1, 4)) == 3
  with pytest.raises(ValueError, match=r"12 images .* 5 hosts"):
    sources.local_size(_reader(0, 5))


def test_epoch_positions_interleave_the_hosts():
  # 30 images make two batches of 12; step 3 is the second of epoch 1.
  positions = sources.epoch_positions(_reader(1, 4), 30, 3)
  np.testing.assert_array_equal(positions, [13, 17, 21])


@pytest.mark.parametrize("num_hosts", [1, 2, 3, 4])
def test_epoch_positions_of_all_hosts_make_up_the_batch(num_hosts):
  parts = [
    sources.epoch_positions(_reader(host, num_hosts), 30, 1)
    for host in range(num_hosts)
  ]
  np.testing.assert_array_equal(
    np.sort(np.concatenate(parts)), np.arange(12, 24)
  )


@pytest.mark.parametrize("num_hosts", [1, 2, 3, 4])
@pytest.mark.parametrize("num_images", [1, 11, 12, 13, 24])
def test_evaluation_positions_cover_everything_once(num_hosts, num_images):
  seen, batches = [], set()
  for host in range(num_hosts):
    parts = list(
      sources.evaluation_positions(_reader(host, num_hosts), num_images)
    )
    batches.add(len(parts))
    for positions, mask in parts:
      assert positions.shape == mask.shape == (12 // num_hosts,)
      assert positions.max() < num_images
      seen.extend(positions[mask])
  assert batches == {-(-num_images // 12)}
  np.testing.assert_array_equal(np.sort(seen), np.arange(num_images))
