"""Pictures with masks, depth maps or boxes, decoded when they are read."""

import logging
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from byol_jax.data import files, folder, pictures, problems


class AnnotatedSource(NamedTuple):
  """Random access to pictures and what is to be predicted of them.

  Attributes:
    num_images: how many there are.
    class_names: the name of each class; empty where there are none.
    read: position to the picture [height, width, 3] uint8 and its target, such
      as a mask or a depth map [height, width]; may be called by several threads
      at once.
    name: position to a name for messages.
  """

  num_images: int
  class_names: tuple[str, ...]
  read: Callable[[int], tuple[np.ndarray, Any]]
  name: Callable[[int], str]


class Place(NamedTuple):
  """Where the pairs of a part lie.

  Attributes:
    path: a folder, or a tar file.
    prefix: only what lies below this sub-folder counts; empty for all.
    images_folder: below that, of the pictures.
    targets_folder: below that, of the masks or depth maps.
    list_path: a text file with one picture a line, by name without ending or by
      path, first word of the line; empty for all pictures.
  """

  path: str
  prefix: str
  images_folder: str
  targets_folder: str
  list_path: str


def open_pairs(
  place: Place, decode: Callable[[bytes], np.ndarray]
) -> AnnotatedSource:
  """Opens pictures and the files of the same name beside them.

  Pictures without such a file are left out, with one warning.

  Args:
    place: folder or tar, in the layout of VOC or any other of two folders.
    decode: bytes of a target's file to [height, width]; raises
      `pictures.ERRORS`.

  Returns:
    The pairs sorted by name.

  Raises:
    ValueError: the path or the list cannot be read, no pair is there, or a
      listed picture lacks one half; by `read`, a file cannot be decoded or a
      target has another size than its picture.
  """
  found = files.open_files(
    place.path, lambda name: name.lower().endswith(folder.EXTENSIONS)
  )
  images, targets = (
    _by_stem(found.names, place.prefix, name)
    for name in (place.images_folder, place.targets_folder)
  )
  stems = _chosen(place, images, targets)

  def read(position):
    stem = stems[position]
    image = _decoded(found, images[stem], pictures.decode)
    target = _decoded(found, targets[stem], decode)
    if target.shape != image.shape[:2]:
      sizes = [f"{x.shape[1]}x{x.shape[0]}" for x in (target, image)]
      raise ValueError(
        f"{problems.printable(targets[stem])} has {sizes[0]} pixels, and its"
        f" picture has {sizes[1]}."
      )
    return image, target

  return AnnotatedSource(
    len(stems), (), read, lambda position: images[stems[position]]
  )


def decode_mask(encoded: bytes) -> np.ndarray:
  """The class numbers of a mask.

  Args:
    encoded: a picture file, 8-bit grey or with a palette, whose indices count.

  Returns:
    [height, width] uint8.

  Raises:
    ValueError: it has colours, or is no picture (`pictures.ERRORS`).
  """
  with pictures.opened(encoded) as mask:
    if mask.mode not in ("L", "P", "1"):
      raise ValueError(
        f"a mask of mode {mask.mode}, where class numbers are needed: 8-bit"
        " grey, or a palette"
      )
    return np.asarray(mask).astype(np.uint8)


def select(
  source: AnnotatedSource, positions: Sequence[int] | np.ndarray
) -> AnnotatedSource:
  """Some pictures of a source.

  Args:
    source: any.
    positions: [n] integers in [0, num_images).
  """
  chosen = [int(position) for position in positions]
  return source._replace(
    num_images=len(chosen),
    read=lambda position: source.read(chosen[position]),
    name=lambda position: source.name(chosen[position]),
  )


def _by_stem(
  names: Sequence[str], prefix: str, subfolder: str
) -> dict[str, str]:
  """The files of a folder, by name without ending."""
  parts = [part.strip("/") for part in (prefix, subfolder)]
  below = "".join(f"{part}/" for part in parts if part)
  return {
    str(pathlib.PurePosixPath(name[len(below) :]).with_suffix("")): name
    for name in names
    if name.startswith(below)
  }


def _chosen(place: Place, images, targets) -> list[str]:
  """Names of the pairs, in order."""
  if not images or not targets:
    missing = place.targets_folder if images else place.images_folder
    below = "/".join(x.strip("/") for x in (place.prefix, missing) if x)
    raise ValueError(f"no pictures are below {below!r} in {place.path!r}.")
  if place.list_path:
    return _listed(place, images, targets)
  stems = sorted(images.keys() & targets.keys())
  if not stems:
    raise ValueError(
      f"no picture of {place.images_folder!r} in {place.path!r} has a file of"
      f" the same name in {place.targets_folder!r}."
    )
  alone = len(images) - len(stems)
  if alone:
    logging.warning(
      "Left %d of %d pictures out, which have nothing in %s.",
      alone,
      len(images),
      place.targets_folder,
    )
  return stems


def _listed(place: Place, images, targets) -> list[str]:
  """Names of a list such as VOC's, each of which must be there."""
  try:
    lines = pathlib.Path(place.list_path).read_text("utf-8").splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise ValueError(
      f"the list {place.list_path!r} cannot be read ({error})."
    ) from error
  words = [line.split()[0] for line in lines if line.strip()]
  stems = [pathlib.PurePosixPath(word).stem for word in words]
  if not stems:
    raise ValueError(f"the list {place.list_path!r} names no picture.")
  for stem in stems:
    if stem not in images or stem not in targets:
      where = place.targets_folder if stem in images else place.images_folder
      raise ValueError(
        f"{stem!r} of the list {place.list_path!r} is not in {where!r} of"
        f" {place.path!r}."
      )
  return stems


def _decoded(found: files.Files, name: str, decode: Callable) -> np.ndarray:
  try:
    return decode(found.read(name, None))
  except pictures.ERRORS as error:
    raise ValueError(
      f"{problems.printable(name)} cannot be decoded"
      f" ({pictures.reason(error)})."
    ) from error
