"""Pictures with boxes in files of their own beside them."""

import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from byol_jax.data import annotated, files, folder, pictures, problems
from byol_jax.detection import objects

# Fractions are written with few digits.
_SLACK_PX = 1.5
_BESIDE = (".txt", ".xml", ".json")


class Pair(NamedTuple):
  """Names of a picture and of the file with its boxes, empty for none."""

  image: str
  target: str


class Pairs(NamedTuple):
  """The files of a part.

  Attributes:
    found: all pictures and small files.
    names: of the pictures and their boxes, in order.
    root: path of the prefix, with "/" at its end unless empty.
  """

  found: files.Files
  names: tuple[Pair, ...]
  root: str


def open_pairs(place: annotated.Place, ending: str, needed: bool) -> Pairs:
  """Finds pictures and files of the same name with their boxes.

  Args:
    place: folder or tar; its list may also lie below the prefix.
    ending: of the files with boxes, ".txt".
    needed: whether a picture without such a file is an error.

  Returns:
    The pictures sorted by name, or in the list's order.

  Raises:
    ValueError: a folder, the list or a file is missing.
  """
  endings = (*folder.EXTENSIONS, *_BESIDE)
  found = files.open_files(
    place.path, lambda name: name.lower().endswith(endings)
  )
  root = _folder(place.prefix)
  images, targets = (
    _by_stem(found.names, root + _folder(subfolder), kinds)
    for subfolder, kinds in (
      (place.images_folder, folder.EXTENSIONS),
      (place.targets_folder, (ending,)),
    )
  )
  for there, subfolder in (
    (images, place.images_folder),
    (targets, place.targets_folder),
  ):
    if not there:
      kind = "pictures" if there is images else f"{ending} files"
      raise ValueError(
        f"no {kind} are below {root + _folder(subfolder)!r} in {place.path!r}."
      )
  stems = _listed(found, place, root) if place.list_path else sorted(images)
  for stem in stems:
    if stem not in images or (needed and stem not in targets):
      where = place.targets_folder if stem in images else place.images_folder
      raise ValueError(
        f"{problems.printable(stem)!r} has no file in {where!r} of"
        f" {place.path!r}."
      )
  pairs = tuple(Pair(images[x], targets.get(x, "")) for x in stems)
  return Pairs(found, pairs, root)


def source(
  pairs: Pairs,
  class_names: tuple[str, ...],
  objects_of: Callable[[int, tuple[int, int]], objects.Objects],
) -> annotated.AnnotatedSource:
  """A source whose targets are `objects.Objects`.

  Args:
    pairs: of which the pictures are read.
    class_names: of all classes.
    objects_of: position, and height and width of the picture, to its boxes.

  Returns:
    The source; its `read` raises ValueError over a picture that cannot be
    decoded and a box that reaches out of it.
  """

  def read(position):
    name = pairs.names[position].image
    try:
      image = pictures.decode(pairs.found.read(name, None))
    except pictures.ERRORS as error:
      raise ValueError(
        f"{problems.printable(name)} cannot be decoded"
        f" ({pictures.reason(error)})."
      ) from error
    there = objects_of(position, image.shape[:2])
    return image, checked(there, image.shape[:2], name)

  return annotated.AnnotatedSource(
    num_images=len(pairs.names),
    class_names=class_names,
    read=read,
    name=lambda position: pairs.names[position].image,
  )


def checked(
  found: objects.Objects, shape: tuple[int, int], name: str
) -> objects.Objects:
  """Boxes cut to their picture, if they lie in it.

  Args:
    found: in pixels.
    shape: height and width of the picture.
    name: of the picture, for messages.

  Returns:
    The same with float32 boxes.

  Raises:
    ValueError: a box reaches out of the picture, or has no inside.
  """
  limits = np.array([*shape, *shape], np.float64)
  boxes = np.clip(found.boxes, 0.0, limits)
  # NaN is not within any reach.
  inside = np.all(np.abs(boxes - found.boxes) <= _SLACK_PX, axis=1)
  solid = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
  wrong = np.flatnonzero(~(inside & solid))
  if wrong.size:
    reason = "has no inside" if inside[wrong[0]] else "reaches out of it"
    corners = ", ".join(f"{x:.1f}" for x in found.boxes[wrong[0]])
    raise ValueError(
      f"{problems.printable(name)} has {shape[1]}x{shape[0]} pixels, and a box"
      f" {reason}: its ymin, xmin, ymax, xmax are {corners}."
    )
  return found._replace(boxes=boxes.astype(np.float32))


def _folder(path: str) -> str:
  """A folder's path with "/" at its end; empty for the root."""
  return f"{path.strip('/')}/".lstrip("/")


def _by_stem(
  names: Iterable[str], below: str, endings: tuple[str, ...]
) -> Mapping[str, str]:
  """Files of a folder, by path below it without ending."""
  return {
    str(pathlib.PurePosixPath(name[len(below) :]).with_suffix("")): name
    for name in names
    if name.startswith(below) and name.lower().endswith(endings)
  }


def _listed(found: files.Files, place: annotated.Place, root: str) -> list[str]:
  """Names of a list such as VOC's, below the prefix or on the disk."""
  try:
    inside = root + place.list_path
    if inside in found.names:
      text = found.read(inside, None).decode("utf-8")
    else:
      text = pathlib.Path(place.list_path).read_text("utf-8")
  except (OSError, UnicodeDecodeError) as error:
    raise ValueError(
      f"the list {place.list_path!r} cannot be read ({error})."
    ) from error
  words = [line.split()[0] for line in text.splitlines() if line.strip()]
  if not words:
    raise ValueError(f"the list {place.list_path!r} names no picture.")
  return [pathlib.PurePosixPath(word).stem for word in words]
