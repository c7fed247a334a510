"""Finds pictures and the files of the same name that say what is on them."""

import functools
import hashlib
import logging
import pathlib
import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from byol_jax.data import files, folder, pictures, problems

# What may lie beside pictures: boxes, names of classes, lists.
_BESIDE = (".txt", ".xml", ".json")


class Place(NamedTuple):
  """Where the pairs of a part lie.

  Attributes:
    path: a folder, or a tar file.
    prefix: only what lies below this sub-folder counts; empty for all.
    images_folder: below that, of the pictures.
    targets_folder: below that, of the masks, depth maps or boxes.
    list_path: a text file, below the prefix or anywhere, with one picture a
      line, by its path below the images' folder or from further above, with or
      without ending, first word of the line; empty for all pictures.
  """

  path: str
  prefix: str
  images_folder: str
  targets_folder: str
  list_path: str


class Pair(NamedTuple):
  """Names of a picture and of what belongs to it, empty for nothing."""

  image: str
  target: str


class Pairs(NamedTuple):
  """The files of a part.

  Attributes:
    found: all pictures and small files.
    names: of the pictures and their targets, in order.
    root: path of the prefix, with "/" at its end unless empty.
  """

  found: files.Files
  names: tuple[Pair, ...]
  root: str


def open_pairs(
  place: Place, endings: tuple[str, ...], needed: bool = True
) -> Pairs:
  """Finds pictures and files of the same name.

  Args:
    place: folder or tar, in the layout of VOC or any other of two folders.
    endings: of the targets' names, such as `folder.EXTENSIONS`.
    needed: whether pictures without a target are left out; one warning says how
      many there are.

  Returns:
    The pictures sorted by name, or in the list's order.

  Raises:
    ValueError: the path or the list cannot be read, a folder has no such file,
      no pair is there, or a listed picture lacks a half that is needed.
  """
  kinds = (*folder.EXTENSIONS, *_BESIDE)
  found = files.open_files(
    place.path, lambda name: name.lower().endswith(kinds)
  )
  images = _in_folder(found, place, place.images_folder, folder.EXTENSIONS)
  targets = _in_folder(found, place, place.targets_folder, endings)
  _check_common(place, images, targets)
  if place.list_path:
    stems = _listed(found, place, images)
    _check_listed(stems, place, targets if needed else images)
  else:
    stems = _common(place, images, targets) if needed else sorted(images)
  if not needed:
    _warn_of_others(place, stems, images, targets)
  pairs = tuple(Pair(images[x], targets.get(x, "")) for x in stems)
  return Pairs(found, pairs, _below(place.prefix))


def read(pairs: Pairs, name: str) -> bytes:
  """The bytes of a file.

  Raises:
    ValueError: it cannot be read.
  """
  try:
    return pairs.found.read(name, None)
  except OSError as error:
    raise ValueError(
      f"{problems.printable(name)} cannot be read ({pictures.reason(error)})."
    ) from error


def fingerprints(pairs: Pairs) -> Callable[[int], bytes]:
  """From a position to a short text that differs when the target does.

  Each file is read once, however often somebody asks. Calls raise ValueError
  over one that cannot be read.
  """

  @functools.cache
  def fingerprint(position):
    name = pairs.names[position].target
    return hashlib.sha256(read(pairs, name)).digest() if name else b""

  return fingerprint


def _below(path: str) -> str:
  """A folder's path with "/" at its end; empty for the root."""
  return f"{path.strip('/')}/".lstrip("/")


def _in_folder(
  found: files.Files, place: Place, subfolder: str, endings: tuple[str, ...]
) -> Mapping[str, str]:
  """Files of a folder, by path below it without ending."""
  below = _below(place.prefix) + _below(subfolder)
  names = {
    _without_ending(name[len(below) :]): name
    for name in found.names
    if name.startswith(below) and name.lower().endswith(endings)
  }
  if not names:
    kind = "pictures" if endings is folder.EXTENSIONS else f"{endings[0]} files"
    where = below.rstrip("/")
    raise ValueError(f"no {kind} are below {where!r} in {place.path!r}.")
  return names


def _without_ending(name: str) -> str:
  return str(pathlib.PurePosixPath(name).with_suffix(""))


def _check_common(place: Place, images, targets) -> None:
  """Refuses two folders without a name in common."""
  if images.keys().isdisjoint(targets):
    raise ValueError(
      f"no picture of {place.images_folder!r} in {place.path!r} has a file of"
      f" the same name in {place.targets_folder!r}."
    )


def _warn_of_others(place: Place, stems: list[str], images, targets) -> None:
  """Says how many pictures and files have nothing of the same name."""
  without = len(stems) - len(targets.keys() & stems)
  unused = len(targets.keys() - images.keys())
  if without or unused:
    logging.warning(
      "%d of %d pictures of %s have no file in %s, where %d files have no"
      " picture.",
      *(without, len(stems), place.path, place.targets_folder, unused),
    )


def _common(place: Place, images, targets) -> list[str]:
  """Names of the pictures that have a target, sorted."""
  stems = sorted(images.keys() & targets.keys())
  alone = len(images) - len(stems)
  if alone:
    logging.warning(
      "Left %d of %d pictures out, which have nothing in %s.",
      alone,
      len(images),
      place.targets_folder,
    )
  return stems


def _listed(found: files.Files, place: Place, images) -> list[str]:
  """Names of a list such as VOC's, each of which must be a picture's."""
  words = _words(found, place)
  folder_name = place.images_folder
  stems = []
  for word in words:
    fitting = (x for x in _spellings(word, folder_name) if x in images)
    stem = next(fitting, None)
    if stem is None:
      raise ValueError(_missing(word, place, folder_name))
    stems.append(stem)
  return stems


def _words(found: files.Files, place: Place) -> list[str]:
  """First word of each line of the list, below the prefix or on the disk."""
  inside = _below(place.prefix) + place.list_path
  try:
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
  return words


def _spellings(word: str, images_folder: str) -> Iterator[str]:
  """What a listed picture could be called, best first.

  Not its last part alone: another folder may have a picture of that name.
  """
  path = posixpath.normpath(word).lstrip("/")
  mark = f"/{_below(images_folder)}"
  yield from _endings_of(path)
  if mark in f"/{path}":
    yield from _endings_of(f"/{path}".partition(mark)[2])
    yield from _endings_of(f"/{path}".rpartition(mark)[2])


def _endings_of(path: str) -> Iterator[str]:
  """A path as it is, and without a picture's ending: "p.0" has none."""
  yield path
  if path.lower().endswith(folder.EXTENSIONS):
    yield _without_ending(path)


def _check_listed(stems, place: Place, targets) -> None:
  for stem in stems:
    if stem not in targets:
      raise ValueError(_missing(stem, place, place.targets_folder))


def _missing(name: str, place: Place, where: str) -> str:
  return (
    f"{problems.printable(name)!r} of the list {place.list_path!r} is not in"
    f" {where!r} of {place.path!r}."
  )
