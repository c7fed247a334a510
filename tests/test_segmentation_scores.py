"""Loss and scores of a segmentation, held against NumPy and scikit-learn."""

import jax
import numpy as np
import pytest
from sklearn import metrics

from byol_jax import parallel
from byol_jax.data import annotated
from byol_jax.dense import segmentation
from byol_jax.networks import dense, fcn, network
from tests import tiny_dense

NUM_CLASSES, VOID, COUNT = 3, 255, 3


@pytest.fixture(scope="module")
def config(tmp_path_factory):
  root = tmp_path_factory.mktemp("pairs")
  tiny_dense.write(root, 1)
  return tiny_dense.config(root, segmentation__num_classes=NUM_CLASSES)


@pytest.fixture(scope="module")
def spec(config):
  section = config.network.to_dict()
  section.pop("image_px")
  return network.EncoderSpec(**section)


@pytest.fixture(scope="module")
def task(config, spec):
  return segmentation.make(config, spec)


@pytest.fixture(scope="module")
def variables(task):
  return jax.jit(task.init)(jax.random.key(0))


@pytest.fixture(scope="module")
def logits_of(config, spec, variables):
  """Logits by averaged statistics, of which each picture has its own."""
  section = config.segmentation
  settings = fcn.Settings(
    NUM_CLASSES,
    section.last_dilation,
    section.head_channels,
    section.head_dilation,
    "float32",
  )
  net = fcn.make_network(spec, settings, parallel.AXIS)
  run = parallel.one_device(
    lambda images: net.apply(variables, images / 255.0, dense.INFERENCE)[0]
  )
  return jax.jit(run)


@pytest.fixture(scope="module")
def data():
  """Pictures, and masks of which every second pixel is void, or almost all."""
  rng = np.random.default_rng(0)
  size = (COUNT, tiny_dense.SIDE, tiny_dense.SIDE)
  images = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
  masks = rng.integers(0, NUM_CLASSES, size).astype(np.uint8)
  masks[:, ::2] = VOID
  masks[1, 2:] = VOID
  return images, masks


def test_the_loss_is_the_mean_of_all_devices_pixels(
  task, variables, logits_of, data
):
  images, masks = (x[:2] for x in data)

  def loss(batch):
    mean, (_, logs) = task.loss(variables, batch, None, dense.INFERENCE)
    return mean, logs["train_pixel_accuracy"]

  # A picture each.
  batch = parallel.shard({"images": images, "masks": masks})
  found = [np.mean(x) for x in parallel.pmap(loss)(batch)]
  logits = np.asarray(logits_of(images.astype(np.float32)), np.float64)
  counted = masks != VOID
  assert counted.sum(axis=(1, 2)).tolist() == [32, 8]
  chosen, truth = logits[counted], masks[counted]
  expected = metrics.log_loss(
    truth, np.exp(chosen) / np.exp(chosen).sum(axis=1, keepdims=True)
  )
  accuracy = metrics.accuracy_score(truth, chosen.argmax(axis=1))
  np.testing.assert_allclose(found, [expected, accuracy], rtol=1e-5)


def test_the_scores_are_of_each_test_picture_once(
  task, variables, logits_of, data
):
  images, masks = data
  source = annotated.AnnotatedSource(
    COUNT,
    ("sky", "road", "car"),
    lambda position: (images[position], masks[position]),
    str,
  )
  # Batches of two: the last one is filled up.
  tested = task.evaluate(parallel.replicate(variables), source)
  predicted = np.asarray(logits_of(images.astype(np.float32))).argmax(axis=-1)
  counted = masks != VOID
  pair = masks[counted], predicted[counted]
  assert len(np.unique(pair[1])) > 1
  expected = metrics.jaccard_score(*pair, average="macro")
  found = tested.scores
  np.testing.assert_allclose(found["miou"], expected, rtol=1e-6)
  each = metrics.jaccard_score(*pair, average=None)
  shares = [tested.classes["iou"][name] for name in source.class_names]
  np.testing.assert_allclose(shares, each, rtol=1e-6)
  accuracy = metrics.accuracy_score(*pair)
  np.testing.assert_allclose(found["pixel_accuracy"], accuracy, rtol=1e-6)
