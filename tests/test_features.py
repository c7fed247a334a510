import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from byol_jax import assembly, inputs, parallel
from byol_jax.data import memory, sources
from byol_jax.evaluation import features
from byol_jax.networks import network


def _source(count=11, labelled=True):
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)
  labels = np.arange(count if labelled else 0, dtype=np.int32)
  return sources.ArraySource(images, labels, ("a",) * labelled)


def _batches(source, batch_size=4, host=0, num_hosts=1):
  reader = sources.Reader(0, batch_size, host, num_hosts)
  return memory.eval_batches(source, 8, reader)


def _pixels():
  return features.plain_encodes()["pixels"]


@pytest.mark.parametrize("batch_size", [2, 4, 16])
def test_extract_has_every_picture_once_in_order(batch_size):
  source = _source()
  got = features.extract(_pixels(), None, _batches(source, batch_size))
  expected = source.images.reshape(11, -1) / 255.0
  np.testing.assert_allclose(got.representation, expected, rtol=1e-6)
  np.testing.assert_array_equal(got.labels, np.arange(11))
  assert got.logits.shape == (11, 0)


def test_extract_on_one_device_equals_two(monkeypatch):
  two = features.extract(_pixels(), None, _batches(_source()))
  monkeypatch.setattr(jax, "local_device_count", lambda: 1)
  monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
  one = features.extract(_pixels(), None, _batches(_source()))
  assert one.representation.max() > 0.5
  for ours, theirs in zip(one, two, strict=True):
    np.testing.assert_array_equal(ours, theirs)


def test_extract_brings_the_rows_of_two_hosts_into_order():
  source = _source(10)
  shares = zip(
    *(_batches(source, 8, host, 2) for host in range(2)), strict=True
  )
  joined = [
    {key: np.concatenate([one[key], two[key]]) for key in one}
    for one, two in shares
  ]
  assert list(joined[0]["index"]) == [0, 2, 4, 6, 1, 3, 5, 7]
  # Padding lies between the last pictures.
  assert list(joined[1]["mask"]) == 2 * [True, False, False, False]
  got = features.extract(_pixels(), None, iter(joined))
  np.testing.assert_array_equal(got.labels, np.arange(10))
  np.testing.assert_allclose(
    got.representation, source.images.reshape(10, -1) / 255.0, rtol=1e-6
  )


def test_extract_stops_at_the_limit():
  taken = []

  def watched():
    for batch in _batches(_source()):
      taken.append(batch)
      yield batch

  got = features.extract(_pixels(), None, watched(), limit=6)
  assert len(taken) == 2
  np.testing.assert_array_equal(got.labels, np.arange(6))
  assert len(got.representation) == 6


def test_extract_of_unlabelled_pictures_has_no_labels():
  got = features.extract(_pixels(), None, _batches(_source(labelled=False)))
  assert got.labels.shape == (0,)
  assert got.representation.shape == (11, 192)


@pytest.mark.parametrize("num_classes", [0, 3])
def test_encode_is_the_network_in_inference_mode(num_classes):
  config = tiny.config()
  spec = assembly.network_spec(config, num_classes)
  net = network.make_network(spec, parallel.AXIS)
  source = _source()
  images = jnp.asarray(source.images, jnp.float32) / 255.0
  init = parallel.one_device(lambda x: net.init(jax.random.key(0), x))
  variables = jax.jit(init)(images)
  apply = parallel.one_device(lambda x: net.apply(variables, x, False)[0])
  expected = jax.jit(apply)(images)
  encode = features.make_encode(net)
  got = features.extract(
    encode, parallel.replicate(variables), _batches(source)
  )
  assert np.abs(got.representation).max() > 0.1
  np.testing.assert_allclose(
    got.representation, expected.representation, rtol=1e-5, atol=1e-6
  )
  assert got.logits.shape == (11, num_classes)
  if num_classes:
    np.testing.assert_allclose(
      got.logits, expected.logits, rtol=1e-5, atol=1e-5
    )


def test_colour_histogram_counts_each_colour():
  black_and_red = np.zeros((1, 2, 2, 3), np.uint8)
  black_and_red[0, 0, 0] = (255, 0, 0)
  got = np.asarray(features.colour_histogram(jnp.asarray(black_and_red)))
  expected = np.zeros((1, 64))
  expected[0, 0], expected[0, 3 * 16] = 0.75, 0.25
  np.testing.assert_allclose(got, expected)


def test_colour_histogram_has_bins_of_64_values():
  edges = np.array([63, 64, 127, 128, 191, 192], np.uint8)
  images = np.zeros((6, 1, 1, 3), np.uint8)
  images[..., 2] = edges[:, None, None]
  got = np.asarray(features.colour_histogram(jnp.asarray(images)))
  np.testing.assert_array_equal(got.argmax(-1), [0, 1, 1, 2, 2, 3])


def test_eval_batches_feed_extract_with_a_whole_split():
  config = tiny.config()
  data = inputs.open_inputs(config)
  batches = inputs.eval_batches(data, data.test, 256)
  encode = features.plain_encodes()["colour histogram"]
  got = features.extract(encode, None, batches)
  assert len(got.representation) == sources.size(data.test)
  np.testing.assert_array_equal(got.labels, data.test.labels)
  np.testing.assert_allclose(got.representation.sum(-1), 1.0, rtol=1e-5)
