"""A few pictures and their views, made by the code that trains."""

import functools
import io
import itertools
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image

from byol_jax import events, inputs, records
from byol_jax.augment import views
from byol_jax.data import memory, sources

# All lengths in pixels. Small pictures are magnified to at least so many.
_MIN_CELL = 96
GAP, WIDE_GAP = 4, 16
# What TensorBoard shows.
_NUM_SHOWN, _NUM_DRAWS = 8, 1
# For so few pictures it takes longer to optimise a program than to run it.
_QUICKLY = {"xla_backend_optimization_level": 0}


class Grid(NamedTuple):
  """A few pictures and draws of their views, float32 in [0, 1].

  Attributes:
    names: class of each picture; () when unlabelled.
    originals: [n, image_px, image_px, 3], as in evaluation.
    view1: [n, num_draws, image_px, image_px, 3].
    view2: likewise.
  """

  names: tuple[str, ...]
  originals: np.ndarray
  view1: np.ndarray
  view2: np.ndarray


def draw(
  data: inputs.Inputs, seed: int, num_images: int, num_draws: int
) -> Grid:
  """Draws views of a few training pictures.

  Args:
    data: the opened data.
    seed: of the choice and of the views.
    num_images: how many pictures, at most.
    num_draws: of each view of each picture.

  Returns:
    The pictures and their views.

  Raises:
    ValueError: a picture cannot be decoded.
  """
  source = _few(data.train, num_images, seed)
  reader = sources.Reader(seed, sources.size(source), 0, 1)
  (shown,) = data.reads.eval_batches(source, data.views.image_px, reader)
  epochs = _epochs(data._replace(train=source), reader)
  draws = list(itertools.islice(epochs, num_draws))
  labels = shown["labels"] if data.num_classes else ()
  return Grid(
    names=tuple(source.class_names[label] for label in labels),
    originals=shown["images"].astype(np.float32) / 255.0,
    view1=np.stack([made["view1"] for made in draws], axis=1),
    view2=np.stack([made["view2"] for made in draws], axis=1),
  )


def mosaic(grid: Grid) -> np.ndarray:
  """Puts all pictures onto one white sheet.

  Args:
    grid: the pictures; small ones are magnified by a whole factor.

  Returns:
    [height, width, 3] uint8: a row for each picture, with the original, the
    draws of view 1 and those of view 2.
  """
  groups = (grid.originals[:, None], grid.view1, grid.view2)
  rows = []
  for number in range(len(grid.originals)):
    blocks = [block(group[number]) for group in groups]
    rows.append(_joined(blocks, WIDE_GAP, axis=1))
  return np.rint(255.0 * _joined(rows, GAP, axis=0)).astype(np.uint8)


def block(pictures: np.ndarray) -> np.ndarray:
  """Puts pictures side by side, magnified.

  Args:
    pictures: [n, height, width, 3].
  """
  factor = -(-_MIN_CELL // pictures.shape[1])
  large = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
  return _joined(list(large), GAP, axis=1)


def show(data: inputs.Inputs, seed: int, workdir: str) -> None:
  """Puts views of a few pictures into a run's TensorBoard, if it has none.

  Where that fails it is said, and is no reason not to train.

  Args:
    data: the opened data.
    seed: as in `draw`.
    workdir: of the run.
  """
  folder, file = _folder(workdir), io.BytesIO()
  try:
    if events.has_picture(folder):
      return
    sheet = mosaic(draw(data, seed, _NUM_SHOWN, _NUM_DRAWS))
    Image.fromarray(sheet).save(file, "PNG")
    name = "original, view 1, view 2"
    events.write_picture(folder, name, file.getvalue())
  except (ValueError, OSError) as error:
    records.say(f"TensorBoard gets no views: {error}")


def once(data: inputs.Inputs, seed: int, workdir: str) -> Callable[[], None]:
  """What does as `show` when it is first called, and then nothing."""
  return functools.cache(lambda: show(data, seed, workdir))


def forget(workdir: str) -> None:
  """Takes what `show` has made out of a run that begins anew.

  Args:
    workdir: of the run.

  Raises:
    OSError: it cannot be removed.
  """
  events.remove_picture(_folder(workdir))


def _folder(workdir: str) -> str:
  return os.path.join(workdir, "tensorboard")


def _few(source: sources.Source, count: int, seed: int) -> sources.Source:
  """Some pictures that can be read again and again; of a stream the first."""
  count = min(count, sources.size(source))
  if not isinstance(source, sources.StreamSource):
    return inputs.subset(source, count, seed)
  # Imports TensorFlow, which such a source needs anyway.
  from byol_jax.data import tfds_source

  return tfds_source.read_all(
    source._replace(
      num_images=count,
      open=lambda *reader: source.open(None, 0, 1).take(count),
    )
  )


def _epochs(
  data: inputs.Inputs, reader: sources.Reader
) -> Iterator[dict[str, np.ndarray]]:
  """Both views of every picture in order, one training epoch after another.

  The batch is as large as the data set: each epoch is one step, which holds
  each picture once, and every epoch draws anew.
  """
  pair = data.views
  make_views = jax.jit(
    views.view_maker(pair.where, pair.policies, pair.image_px),
    compiler_options=_QUICKLY if jax.default_backend() == "cpu" else None,
  )
  pool = memory.pool(data.train) if data.views.where == "memory" else {}
  key = jax.random.key(reader.seed)
  batches = data.reads.train_batches(data.train, data.views, reader, 0)
  for epoch, batch in enumerate(batches):
    made = make_views({**pool, **batch}, jax.random.fold_in(key, epoch))
    order = np.argsort(batch["index"])
    yield {name: np.asarray(made[name])[order] for name in ("view1", "view2")}


def _joined(parts: list[np.ndarray], gap: int, axis: int) -> np.ndarray:
  """Parts one after another with white between them."""
  shape = list(parts[0].shape)
  shape[axis] = gap
  white = np.ones(shape, np.float32)
  spaced = [piece for part in parts for piece in (white, part)][1:]
  return np.concatenate(spaced, axis=axis)
