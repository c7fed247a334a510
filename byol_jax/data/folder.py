"""Your own pictures: a folder or a tar file, labelled by sub-folder or not."""

import concurrent.futures
import itertools
import logging
import os
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from byol_jax.data import files, pictures, problems, sources

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
_ARCHIVES = (".tar", ".tgz", ".gz", ".bz2", ".xz", ".zip")
CORRUPT = ("skip", "fatal", "unchecked")
# More corrupt files than this are only counted.
_MAX_NAMED = 10
_UNLABELLED = "pretraining without labels is data.labelled=False"
# Files that a thread checks before it is given more.
_CHUNK = 256


class _Finding(NamedTuple):
  """What the check of one file found; no problem is an empty string."""

  name: str
  is_plain_jpeg: bool
  problem: str


def open_pictures(
  path: str,
  prefix: str,
  labelled: bool,
  corrupt: str,
  class_names: Sequence[str] = (),
) -> sources.EncodedSource:
  """Opens the pictures of a folder, at any depth, or of a tar file.

  Args:
    path: a folder, or a tar file, which may be compressed.
    prefix: only pictures below this sub-folder count, for archives that hold
      several parts; empty for all.
    labelled: whether the first folder below the prefix is a picture's class.
    corrupt: what happens to incomplete files: "skip" leaves them out with one
      warning that names them, "fatal" refuses the set, "unchecked" reads only
      the headers, so that they are met while training.
    class_names: the classes of another part, which fix the numbering; empty
      numbers the classes found here by name.

  Returns:
    The pictures sorted by name.

  Raises:
    ValueError: if the path cannot be read or holds no pictures, a labelled
      picture lies in no class or in an unknown one, or a picture is corrupt and
      that is fatal.
  """
  if corrupt not in CORRUPT:
    raise ValueError(f"data.corrupt is {corrupt!r}: choose one of {CORRUPT}.")
  below = f"{prefix.strip('/')}/".lstrip("/")
  archives = []

  def wanted(name):
    if name.lower().endswith(_ARCHIVES):
      archives.append(name)
    return _is_picture(name, below)

  found = files.open_files(path, wanted)
  if not found.names:
    raise ValueError(_nothing_found(path, prefix, archives))
  if labelled:
    class_names = _check_classes(found.names, below, tuple(class_names), path)
  findings = _drop_corrupt(_inspect_all(found, corrupt), corrupt, path)
  names = [finding.name for finding in findings]
  return sources.EncodedSource(
    num_images=len(names),
    labels=_labels(names, below, class_names if labelled else ()),
    class_names=class_names if labelled else (),
    read=lambda position: found.read(names[position], None),
    name=lambda position: os.path.join(path, names[position]),
    is_plain_jpeg=np.array([finding.is_plain_jpeg for finding in findings]),
  )


def _is_picture(name: str, below: str) -> bool:
  return name.startswith(below) and name.lower().endswith(EXTENSIONS)


def _class_of(name: str, below: str) -> str:
  """The first folder below the prefix; empty if there is none."""
  return name[len(below) :].rpartition("/")[0].partition("/")[0]


def _check_classes(
  names: Sequence[str], below: str, known: tuple[str, ...], path: str
) -> tuple[str, ...]:
  """The classes' names, once every picture has one."""
  class_of = {_class_of(name, below): name for name in names}
  if "" in class_of:
    raise ValueError(
      f"{class_of['']!r} in {path!r} lies in no class folder: give each class"
      f" a folder; {_UNLABELLED}."
    )
  unknown = sorted(set(class_of) - set(known))
  if known and unknown:
    raise ValueError(
      f"{path!r} has the class {unknown[0]!r}, which the training part does"
      f" not have: its {len(known)} classes are {', '.join(known)}."
    )
  if not known and len(class_of) == 1:
    raise ValueError(
      f"all pictures in {path!r} lie in one class folder, {min(class_of)!r}:"
      " name the folder above the classes (data.train_prefix) and give each"
      f" class a folder; {_UNLABELLED}."
    )
  return known or tuple(sorted(class_of))


def _labels(
  names: Sequence[str], below: str, class_names: tuple[str, ...]
) -> np.ndarray:
  number = {name: label for label, name in enumerate(class_names)}
  labels = [number[_class_of(name, below)] for name in names] if number else []
  return np.array(labels, np.int32)


def _inspect_all(found: files.Files, corrupt: str) -> list[_Finding]:
  """Checks every file, in a pool of threads."""

  def inspect(name):
    if corrupt == "unchecked":
      plain = pictures.inspect_header(lambda size: found.read(name, size))
      return _Finding(name, plain, "")
    try:
      plain = pictures.inspect(found.read(name, None))
      return _Finding(name, plain, "")
    except pictures.ERRORS as error:
      return _Finding(name, False, pictures.reason(error))

  def inspect_chunk(start):
    return [inspect(name) for name in found.names[start : start + _CHUNK]]

  with warnings.catch_warnings():
    # The filters hold for all threads: a giant picture becomes an error.
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
      starts = range(0, len(found.names), _CHUNK)
      return list(itertools.chain(*threads.map(inspect_chunk, starts)))


def _drop_corrupt(
  findings: list[_Finding], corrupt: str, path: str
) -> list[_Finding]:
  """The sound files; the others are reported or refused."""
  broken = [finding for finding in findings if finding.problem]
  if not broken:
    return findings
  named = ", ".join(
    f"{problems.printable(finding.name)} ({finding.problem})"
    for finding in broken[:_MAX_NAMED]
  )
  more = len(broken) - _MAX_NAMED
  named += f" and {more} more" if more > 0 else ""
  if corrupt == "fatal":
    raise ValueError(f"{path!r} holds corrupt pictures: {named}.")
  if len(broken) == len(findings):
    raise ValueError(f"all pictures in {path!r} are corrupt: {named}.")
  logging.warning("Left %d corrupt pictures out: %s.", len(broken), named)
  return [finding for finding in findings if not finding.problem]


def _nothing_found(path: str, prefix: str, archives: list[str]) -> str:
  where = f"below {prefix!r} in {path!r}" if prefix else f"in {path!r}"
  hint = (
    f"; archives such as {min(archives)!r} are not read" if archives else ""
  )
  return f"no pictures are {where}: they end in {' '.join(EXTENSIONS)}{hint}."
