"""Names and bytes of the files in a folder or tar, with random access."""

import lzma
import os
import pathlib
import posixpath
import tarfile
import zlib
from collections.abc import Callable
from typing import NamedTuple

_TAR_ERRORS = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError)


class Files(NamedTuple):
  """Some files.

  Attributes:
    names: sorted paths below the root, with "/".
    read: name and number of bytes, None for all, to the file's beginning; may
      be called by several threads at once.
  """

  names: tuple[str, ...]
  read: Callable[[str, int | None], bytes]


def open_files(path: str, wanted: Callable[[str], bool]) -> Files:
  """Lists the wanted files in a folder, at any depth, or in a tar.

  A compressed tar has no random access: its wanted files are kept in memory, as
  they are.

  Args:
    path: a folder, or a tar file, which may be compressed by gzip, bzip2 or xz.
    wanted: path below the root to whether the file counts.

  Returns:
    The wanted files, hidden ones left out.

  Raises:
    ValueError: if there is no such folder or tar, or it cannot be read.
  """
  root = pathlib.Path(path)
  if not path or not root.exists():
    raise ValueError(f"no folder or tar file is at {path!r}.")
  try:
    if root.is_dir():
      return _open_folder(root, wanted)
    if _is_plain_tar(root):
      return _open_plain_tar(root, wanted)
    return _open_compressed_tar(root, wanted)
  except _TAR_ERRORS as error:
    raise ValueError(
      f"{path!r} cannot be read as a folder or tar file: {error}."
    ) from error


def _is_visible(name: str) -> bool:
  """False for what file managers hide, as macOS's "._" files."""
  return not any(
    part.startswith(".") or part == "__MACOSX" for part in name.split("/")
  )


def _open_folder(root: pathlib.Path, wanted: Callable[[str], bool]) -> Files:

  def fail(error):
    raise error

  names = []
  # Not rglob, which follows no links to folders.
  for folder, _, files in os.walk(root, onerror=fail, followlinks=True):
    below = pathlib.Path(folder).relative_to(root)
    names.extend((below / file).as_posix() for file in files)

  def read(name, num_bytes):
    with open(root / name, "rb") as file:
      return file.read(num_bytes)

  return Files(_select(names, wanted), read)


def _is_plain_tar(path: pathlib.Path) -> bool:
  try:
    with tarfile.open(path, "r:"):
      return True
  except tarfile.ReadError:
    return False


def _members(tar: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
  """Files by normalised name; a hard link is the file it points to."""
  members = {posixpath.normpath(member.name): member for member in tar}
  resolved = {
    name: members.get(posixpath.normpath(member.linkname), member)
    if member.islnk()
    else member
    for name, member in members.items()
  }
  return {name: member for name, member in resolved.items() if member.isreg()}


def _open_plain_tar(path: pathlib.Path, wanted: Callable[[str], bool]) -> Files:
  with tarfile.open(path, "r:") as tar:
    members = _members(tar)
  places = {
    name: (members[name].offset_data, members[name].size)
    for name in _select(members, wanted)
  }
  # Stays open until the process ends, as long as pictures are read.
  descriptor = os.open(path, os.O_RDONLY)

  def read(name, num_bytes):
    offset, size = places[name]
    wanted_bytes = size if num_bytes is None else min(size, num_bytes)
    return os.pread(descriptor, wanted_bytes, offset)

  return Files(tuple(places), read)


def _open_compressed_tar(
  path: pathlib.Path, wanted: Callable[[str], bool]
) -> Files:
  contents = {}
  with tarfile.open(path, "r:*") as tar:
    for member in tar:
      name = posixpath.normpath(member.name)
      if (
        _is_visible(name)
        and wanted(name)
        and (member.isreg() or member.islnk())
      ):
        with tar.extractfile(member) as file:
          contents[name] = file.read()

  def read(name, num_bytes):
    return contents[name][:num_bytes]

  return Files(tuple(sorted(contents)), read)


def _select(names, wanted: Callable[[str], bool]) -> tuple[str, ...]:
  return tuple(
    sorted(name for name in names if _is_visible(name) and wanted(name))
  )
