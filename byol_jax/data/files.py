"""Names and bytes of the files in a folder or tar, with random access.

Nothing is ever unpacked, and names serve only to find files in the folder or
within the archive.
"""

import errno
import lzma
import os
import pathlib
import posixpath
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

_TAR_ERRORS = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError)
# No picture that Pillow opens is so large, even uncompressed.
MAX_BYTES = 1 << 30
# What follows the last member of a tar.
_END_MARK = bytes(tarfile.BLOCKSIZE)


class Files(NamedTuple):
  """Some files.

  Attributes:
    names: sorted paths below the root, with "/".
    read: name and number of bytes, None for all, to the file's beginning; may
      be called by several threads at once. Raises OSError, also for a pipe or
      device, which could keep a reader waiting, and beyond `MAX_BYTES`.
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
  try:
    if not path or not root.exists():
      raise ValueError(f"no folder or tar file is at {path!r}.")
    if root.is_dir():
      return _open_folder(root, wanted)
    if not root.is_file():
      raise OSError(errno.EINVAL, "Neither a folder nor a regular file")
    if _is_plain_tar(root):
      return _open_plain_tar(root, wanted)
    return _open_compressed_tar(root, wanted)
  except _TAR_ERRORS as error:
    # TarError lists on further lines what it has tried.
    reason = str(error).partition(":\n")[0]
    raise ValueError(
      f"{path!r} cannot be read as a folder or tar file: {reason}."
    ) from error


def _is_visible(name: str) -> bool:
  """False for what file managers hide, as macOS's "._" files."""
  return not any(
    part.startswith(".") or part == "__MACOSX" for part in name.split("/")
  )


def _open_folder(root: pathlib.Path, wanted: Callable[[str], bool]) -> Files:
  names = []
  for folder, files in _walk(root):
    below = pathlib.Path(folder).relative_to(root)
    names.extend((below / file).as_posix() for file in files)

  def read(name, num_bytes):
    # A pipe without a writer would be waited for.
    file = os.open(root / name, os.O_RDONLY | os.O_NONBLOCK)
    with open(file, "rb") as opened:
      status = os.fstat(file)
      if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "No regular file")
      _check_size(status.st_size)
      return opened.read(num_bytes)

  return Files(_select(names, wanted), read)


def _walk(root: pathlib.Path) -> Iterator[tuple[str, list[str]]]:
  """Folders and their files; links are followed, but never in a circle."""

  def fail(error):
    raise error

  above = {str(root): frozenset()}
  # Not rglob, which follows no links to folders.
  for folder, folders, files in os.walk(root, onerror=fail, followlinks=True):
    status = os.stat(folder)
    place = status.st_dev, status.st_ino
    parents = above.pop(folder)
    if place in parents:
      folders.clear()
      continue
    for name in folders:
      above[os.path.join(folder, name)] = parents | {place}
    yield folder, files


def _is_plain_tar(path: pathlib.Path) -> bool:
  try:
    with tarfile.open(path, "r:"):
      return True
  except tarfile.ReadError:
    return False


def _name(member: tarfile.TarInfo) -> str:
  """Where a member lies below the archive's root, as tar unpacks it."""
  return posixpath.normpath(member.name).lstrip("/")


def _members(tar: Iterable[tarfile.TarInfo]) -> dict[str, tarfile.TarInfo]:
  """Files by name; a hard link is the file of the archive it points to."""
  members = {_name(member): member for member in tar}
  resolved = {
    name: members.get(posixpath.normpath(member.linkname).lstrip("/"), member)
    if member.islnk()
    else member
    for name, member in members.items()
  }
  return {name: member for name, member in resolved.items() if member.isreg()}


def _open_plain_tar(path: pathlib.Path, wanted: Callable[[str], bool]) -> Files:
  with tarfile.open(path, "r:") as tar:
    members, end = _members(tar), tar.offset
  places = {
    name: (members[name].offset_data, members[name].size)
    for name in _select(members, wanted)
  }
  # Stays open until the process ends, as long as pictures are read.
  descriptor = os.open(path, os.O_RDONLY)
  if os.pread(descriptor, len(_END_MARK), end) != _END_MARK:
    os.close(descriptor)
    # tarfile takes a half header, or garbage, for the end.
    raise tarfile.ReadError("it has no end, as if cut off or damaged")

  def read(name, num_bytes):
    offset, size = places[name]
    _check_size(size)
    wanted_bytes = size if num_bytes is None else min(size, num_bytes)
    return os.pread(descriptor, wanted_bytes, offset)

  return Files(tuple(places), read)


def _open_compressed_tar(
  path: pathlib.Path, wanted: Callable[[str], bool]
) -> Files:
  contents = {}
  with tarfile.open(path, "r:*") as tar:
    for member in tar:
      if _is_visible(_name(member)) and wanted(_name(member)):
        contents[member] = _read_member(tar, member)
    members = _members(tar.getmembers())
    names = _select(members, wanted)
    for name in names:
      # A link's file is perhaps no picture by its own name.
      if members[name] not in contents:
        contents[members[name]] = _read_member(tar, members[name])

  def read(name, num_bytes):
    _check_size(members[name].size)
    return contents[members[name]][:num_bytes]

  return Files(names, read)


def _read_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
  """The bytes of a regular file, unless it is too large for a picture."""
  if not member.isreg() or member.size > MAX_BYTES:
    return b""
  with tar.extractfile(member) as file:
    return file.read()


def _check_size(num_bytes: int) -> None:
  if num_bytes > MAX_BYTES:
    raise OSError(errno.EFBIG, f"Larger than {MAX_BYTES >> 20} MiB")


def _select(names, wanted: Callable[[str], bool]) -> tuple[str, ...]:
  return tuple(
    sorted(name for name in names if _is_visible(name) and wanted(name))
  )
