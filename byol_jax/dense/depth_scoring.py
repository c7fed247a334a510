"""Tests predicted depth on whole pictures, and draws it."""

import concurrent.futures
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import chex
import ml_collections
import numpy as np

from byol_jax import inputs, parallel, stopping
from byol_jax.data import annotated, annotated_batches, depth_maps
from byol_jax.dense import overlays
from byol_jax.depth import colours, scores

_TITLES = (
  "picture",
  "truth (bright: near, black: unknown)",
  "prediction (bright: near)",
)
# From replicated variables and uint8 pictures, spread over the devices, to
# depth [..., height, width].
Predict = Callable[[Any, chex.Array], chex.Array]


def evaluate(
  config: ml_collections.ConfigDict,
  predict: Predict,
  variables: Any,
  source: annotated.AnnotatedSource,
) -> Mapping[str, float]:
  """Scores predictions at the size of the true maps.

  Of a picture counts what the network sees of it. Where depth has no scale
  (`data.depth_scale=0`), each prediction is first scaled by the medians. The
  hosts share the predictions, and each scores all of them.

  Args:
    config: a validated config of the protocol `depth`.
    predict: the network.
    variables: replicated.
    source: pictures and depth.

  Returns:
    As `scores.scores`.

  Raises:
    ValueError: nothing is known, or a picture cannot be read.
  """

  def sums(found):
    _, truth, prediction = _compared(config, source, *found)
    return scores.picture_sums(prediction, truth)

  total = np.zeros(scores.SIZE)
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
    for batch in _predictions(config, predict, variables, source):
      stopping.check()
      total += sum(threads.map(sums, batch))
  return scores.scores(total)


def draw(
  config: ml_collections.ConfigDict,
  predict: Predict,
  variables: Any,
  source: annotated.AnnotatedSource,
  folder: str,
) -> None:
  """Writes the first pictures with true and predicted depth beside them.

  Args:
    config: of which `evaluation.pictures` says how many.
    predict: the network.
    variables: replicated.
    source: pictures and depth.
    folder: gets a PNG for each picture.
  """
  count = min(config.evaluation.pictures, source.num_images)
  some = annotated.select(source, range(count))
  for batch in _predictions(config, predict, variables, some):
    for index, prediction in batch if parallel.host() == 0 else ():
      image, *maps = _compared(config, some, index, prediction)
      titled = zip(
        _TITLES,
        (image, *colours.painted(*maps)),
        strict=True,
      )
      path = f"{folder}/{overlays.file_name(index, some.name(index))}"
      overlays.write([overlays.Panel(*pair) for pair in titled], (), path)


def _predictions(
  config, predict: Predict, variables: Any, source: annotated.AnnotatedSource
) -> Iterator[list[tuple[int, np.ndarray]]]:
  """Batches of pictures, of all hosts: their position and their depth."""
  seen = config.depth.image_px

  def prepare(image, depth):
    box = depth_maps.window(depth.shape, config.depth.resized_px, seen)
    return {"images": depth_maps.seen(image, box, seen)}

  reader = inputs.reader(0, config.evaluation.batch_size)
  for batch in annotated_batches.eval_batches(source, prepare, reader):
    placed = parallel.shard(batch)
    found = parallel.gather(predict(variables, placed["images"]))
    index, mask = (parallel.gather(placed[name]) for name in ("index", "mask"))
    yield [(int(index[row]), found[row]) for row in np.flatnonzero(mask)]


def _compared(config, source, index: int, prediction: np.ndarray):
  """Picture, truth and prediction, all of the truth's size."""
  image, depth = source.read(index)
  box = depth_maps.window(
    depth.shape, config.depth.resized_px, config.depth.image_px
  )
  truth = depth_maps.truth(depth, box)
  prediction = depth_maps.resized(prediction, truth.shape)
  if not config.data.depth_scale and truth.any():
    prediction = scores.scaled(prediction, truth)
  return depth_maps.truth(image, box), truth, prediction
