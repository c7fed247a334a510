"""Batches of pictures of any source, by tf.data.

Everything is a function of (seed, epoch, index): the order of an epoch by
`index_shuffle`, what happens to a picture by stateless draws. No iterator state
exists, so that training goes on at any step as if it had never stopped.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from byol_jax.data import batching, host_views, sources

# The accelerators belong to JAX.
tf.config.set_visible_devices([], "GPU")

# A stream is shuffled among this many local batches, as in the released code.
_SHUFFLE_BATCHES = 10
# Endless enough.
_MAX_COUNT = 2**62
# The released evaluation.
GEOMETRY = sources.Geometry("crop_then_resize", 0.875)


def train_batches(
  source: sources.Source,
  views: sources.Views,
  reader: sources.Reader,
  start_step: int,
) -> Iterator[dict[str, np.ndarray]]:
  """Endless training batches of two views each, or of one.

  With random access, the batches of all hosts together hold the same pictures
  for any number of hosts. A stream resumes exactly for the same number of hosts
  only, and its `index` is the place in the epoch's order.

  Args:
    source: the pictures.
    views: how they become views; `where` is "host" or "device".
    reader: who reads.
    start_step: the step that the first batch belongs to.

  Returns:
    Batches of `view1` and, for two policies, `view2` [batch_size / num_hosts,
    image_px, image_px, 3], float32 in [0, 1] ("host") or uint8 before any
    change of colour ("device"), `index` int32 and, where there are any,
    `labels` int32.

  Raises:
    ValueError: if a batch is larger than the data set, the hosts cannot share
      it equally, `views.where` is another, a label is no class, or a picture
      cannot be decoded, which is named.
  """
  if views.where not in ("host", "device"):
    raise ValueError(
      f"tf.data makes no views for data.views={views.where!r}: choose host or"
      " device."
    )
  num_images = sources.size(source)
  sources.steps_per_epoch(num_images, reader.batch_size)
  sources.log_remainder(num_images, reader.batch_size)
  local_size = sources.local_size(reader)

  def make(example):
    return host_views.train_views(example, source, views, reader.seed)

  if isinstance(source, sources.StreamSource):
    parts = _stream_epochs(source, reader, start_step)
  else:
    parts = [_shuffled(num_images, reader, start_step)]
  return itertools.chain.from_iterable(
    batching.iterate(batching.Pass(source, part, make, local_size))
    for part in parts
  )


def eval_batches(
  source: sources.Source,
  image_px: int,
  reader: sources.Reader,
  geometry: sources.Geometry = GEOMETRY,
) -> Iterator[dict[str, np.ndarray]]:
  """One pass over all pictures, padded at the end.

  Args:
    source: the pictures.
    image_px: side of the pictures that the network sees.
    reader: who reads; over all hosts each picture comes exactly once.
    geometry: what is shown of each picture.

  Yields:
    `images` [batch_size / num_hosts, image_px, image_px, 3] uint8, `index`
    int32, `mask` bool (False for padding) and, where there are any, `labels`
    int32; equally many batches on every host.

  Raises:
    ValueError: as in `train_batches`, or if the geometry is impossible.
  """
  num_images = sources.size(source)
  local_size = sources.local_size(reader)

  def make(example):
    return host_views.centre_view(example, source, image_px, geometry)

  share = batching.Pass(source, _in_order(source, reader), make, local_size)
  num_batches = -(-num_images // reader.batch_size)
  yield from batching.padded(share, num_batches)


def _shuffled(
  num_images: int, reader: sources.Reader, start_step: int
) -> tf.data.Dataset:
  """Endless `epoch` and `index` of this host's pictures, from a step on."""
  local_size = sources.local_size(reader)
  num_steps = sources.steps_per_epoch(num_images, reader.batch_size)

  def locate(count):
    step, number = count // local_size, count % local_size
    place = number * reader.num_hosts + reader.host
    epoch = step // num_steps
    index = tf.random.experimental.index_shuffle(
      step % num_steps * reader.batch_size + place,
      tf.stack([tf.constant(reader.seed, tf.int64), epoch]),
      num_images - 1,
    )
    return {"epoch": epoch, "index": index}

  return tf.data.Dataset.range(start_step * local_size, _MAX_COUNT).map(locate)


def _stream_epochs(
  source: sources.StreamSource, reader: sources.Reader, start_step: int
) -> Iterator[tf.data.Dataset]:
  """The examples of one epoch after another, from a step on.

  What was read before that step is skipped without decoding it.
  """
  local_size = sources.local_size(reader)
  num_steps = sources.steps_per_epoch(source.num_images, reader.batch_size)
  for epoch in itertools.count(start_step // num_steps):
    first_step = max(start_step - epoch * num_steps, 0)
    seed = np.random.SeedSequence((reader.seed, epoch)).generate_state(1)[0]
    examples = _enumerate(
      source.open(int(seed), reader.host, reader.num_hosts).shuffle(
        _SHUFFLE_BATCHES * local_size, seed=int(seed)
      ),
      reader,
      epoch,
    )
    skipped = first_step * local_size
    yield examples.skip(skipped).take(num_steps * local_size - skipped)


def _in_order(
  source: sources.Source, reader: sources.Reader
) -> tf.data.Dataset:
  """This host's share of all pictures, once."""
  if isinstance(source, sources.StreamSource):
    examples = source.open(None, reader.host, reader.num_hosts)
    return _enumerate(examples, reader, epoch=0)
  positions = tf.data.Dataset.range(
    reader.host, sources.size(source), reader.num_hosts
  )
  return positions.map(lambda index: {"index": index})


def _enumerate(
  examples: tf.data.Dataset, reader: sources.Reader, epoch: int
) -> tf.data.Dataset:
  """Adds `epoch` and `index`, which differs between all hosts' examples."""

  def number(count, example):
    index = count * reader.num_hosts + reader.host
    epoch_number = tf.constant(epoch, tf.int64)
    return {"epoch": epoch_number, "index": index, **example}

  return examples.enumerate().map(number)
