"""Semantic segmentation: FCN-16s on the encoder (paper, Table 4a)."""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax

from byol_jax import inputs, parallel, stopping
from byol_jax.data import annotated, annotated_batches
from byol_jax.dense import confusion, crops, overlays, places
from byol_jax.dense import task as tasks
from byol_jax.networks import dense, fcn, network


def open_part(
  config: ml_collections.ConfigDict, part: str
) -> annotated.AnnotatedSource:
  """Opens pictures and their masks.

  Args:
    config: a validated config of the protocol `segmentation`.
    part: "train" or "test".

  Raises:
    ValueError: the part is not named, missing or empty.
  """
  place = places.of(config.data, part)
  source = annotated.open_pairs(place, annotated.decode_mask)
  section = config.segmentation
  names = section.class_names or map(str, range(section.num_classes))
  return source._replace(
    class_names=tuple(names), read=_checked(source, section)
  )


def make(
  config: ml_collections.ConfigDict, spec: network.EncoderSpec
) -> tasks.Task:
  """Assembles the task.

  Args:
    config: a validated config of the protocol `segmentation`.
    spec: shape of the encoder.
  """
  net = _network(config, spec)
  # Mapped once: each mapping is compiled anew.
  count = parallel.pmap(_counter(config, net))
  predict = parallel.pmap(_predictor(net))
  return tasks.Task(
    init=_init(config, net),
    loss=_make_loss(config, net),
    train_batches=lambda source, step: _train_batches(config, source, step),
    evaluate=lambda variables, source: _evaluate(
      config, functools.partial(count, variables), source
    ),
    draw=lambda variables, source, folder: _draw(
      config, functools.partial(predict, variables), source, folder
    ),
    metric="miou",
    higher_is_better=True,
  )


def _network(config, spec) -> dense.Functions:
  section = config.segmentation
  settings = fcn.Settings(
    num_classes=section.num_classes,
    last_dilation=section.last_dilation,
    head_channels=section.head_channels,
    head_dilation=section.head_dilation,
    compute_dtype=config.training.compute_dtype,
  )
  return fcn.make_network(spec, settings, parallel.AXIS)


def _init(config, net: dense.Functions) -> Callable:
  images = jnp.zeros((1, *config.segmentation.crop_px, 3))
  return lambda key: parallel.one_device(lambda x: net.init(key, x))(images)


def _make_loss(config, net: dense.Functions) -> tasks.Loss:
  """Mean cross-entropy of the pixels that are not void."""
  void = config.segmentation.void_label

  def loss(variables, batch, key, modes):
    del key
    masks = batch["masks"].astype(jnp.int32)
    images = batch["images"].astype(jnp.float32) / 255.0
    logits, stats = net.apply(variables, images, modes)
    counted = masks != void
    entropies = optax.softmax_cross_entropy_with_integer_labels(
      logits, jnp.where(counted, masks, 0)
    )
    # The mean over all devices' pixels, whose numbers may differ.
    number = jax.lax.pmean(jnp.sum(counted), parallel.AXIS)
    mean = jnp.sum(entropies * counted) / jnp.maximum(number, 1)
    right = jnp.sum((jnp.argmax(logits, -1) == masks) & counted)
    accuracy = right / jnp.maximum(number, 1)
    return mean, (stats, {"train_pixel_accuracy": accuracy})

  return loss


def _train_batches(config, source, first_step: int):
  section = config.segmentation

  def prepare(image, mask, draw):
    crop = crops.random_crop(
      mask.shape, section.scales, section.crop_px, section.flip, draw.example
    )
    image, mask = crops.apply(crop, image, mask, section.void_label)
    return {"images": image, "masks": mask}

  reader = inputs.reader(config.seed, config.training.batch_size)
  return annotated_batches.train_batches(source, prepare, reader, first_step)


def _test_batches(config, source):
  section = config.segmentation

  def prepare(image, mask):
    crop = crops.centre_crop(mask.shape, section.test_px)
    image, mask = crops.apply(crop, image, mask, section.void_label)
    return {"images": image, "masks": mask}

  reader = inputs.reader(0, config.evaluation.batch_size)
  return annotated_batches.eval_batches(source, prepare, reader)


def _predictor(net: dense.Functions) -> Callable:
  """Variables and pictures uint8 to classes [batch, height, width] int32."""

  def predict(variables, images):
    images = images.astype(jnp.float32) / 255.0
    logits, _ = net.apply(variables, images, dense.INFERENCE)
    return jnp.argmax(logits, axis=-1)

  return predict


def _counter(config, net: dense.Functions) -> Callable:
  """Variables and a batch to the confusion of all devices' pixels."""
  section, predict = config.segmentation, _predictor(net)

  def count(variables, batch):
    predicted = predict(variables, batch["images"])
    is_real = batch["mask"][:, None, None]
    truth = jnp.where(is_real, batch["masks"], section.void_label)
    found = confusion.counts(
      predicted, truth, section.num_classes, section.void_label
    )
    return jax.lax.psum(found, parallel.AXIS)

  return count


def _evaluate(config, count: Callable, source) -> tasks.Tested:
  """Scores of the whole part, the same on every host."""
  total = np.zeros((config.segmentation.num_classes,) * 2, np.int64)
  for batch in _test_batches(config, source):
    stopping.check()
    total += parallel.first(count(parallel.shard(batch)))
  void, names = config.segmentation.void_label, source.class_names
  overlaps = confusion.overlaps(total, void)
  return tasks.Tested(
    scores=confusion.scores(total, void),
    classes={"iou": {names[i]: share for i, share in overlaps.items()}},
  )


def _draw(config, predict: Callable, source, folder: str) -> None:
  """Picture, truth and prediction of the first test pictures."""
  count = min(config.evaluation.pictures, source.num_images)
  some = annotated.select(source, range(count))
  for batch in _test_batches(config, some):
    on_devices = parallel.shard(batch)
    shown = {**on_devices, "predicted": predict(on_devices["images"])}
    shown = {name: parallel.gather(x) for name, x in shown.items()}
    for at in np.flatnonzero(shown["mask"]):
      position = int(shown["index"][at])
      name = overlays.file_name(position, some.name(position))
      row = {name: values[at] for name, values in shown.items()}
      if parallel.host() == 0:
        _write(row, source.class_names, f"{folder}/{name}")


def _write(row, class_names: Sequence[str], path: str) -> None:
  """One picture beside its masks."""
  number = len(class_names)
  masks = {"truth": row["masks"], "prediction": row["predicted"]}
  panels = [overlays.Panel("picture", row["images"])]
  panels += [
    overlays.Panel(title, overlays.painted(row["images"], mask, number))
    for title, mask in masks.items()
  ]
  legend = overlays.legend(list(masks.values()), class_names)
  overlays.write(panels, legend, path)


def _checked(source: annotated.AnnotatedSource, section) -> Callable:
  """Reads a mask only if all of its numbers are classes or void."""

  def read(position):
    image, mask = source.read(position)
    known = (mask < section.num_classes) | (mask == section.void_label)
    if not known.all():
      raise ValueError(
        f"the mask of {source.name(position)} has the class"
        f" {mask[~known].min()}, and segmentation.num_classes="
        f"{section.num_classes} has 0 to {section.num_classes - 1}, and"
        f" {section.void_label} for void."
      )
    return image, mask

  return read
