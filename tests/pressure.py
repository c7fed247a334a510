"""Too little memory and too small a disk, on purpose and for a while."""

import contextlib
import os
import pathlib
import random
import resource
import subprocess
import sys
import threading
import time

_MIB = 2**20
# Takes memory, touches it, and gives it back, until it is killed.
_HOG = """
import os, random, sys, time
size, chance = int(sys.argv[1]), random.Random(sys.argv[2])
parent = os.getppid()
while os.getppid() == parent:
  taken = bytearray(int(size * chance.uniform(0.3, 1.0)))
  taken[::4096] = b"x" * len(taken[::4096])
  time.sleep(chance.uniform(0.2, 2.0))
  del taken
  time.sleep(chance.uniform(0.0, 0.5))
"""


@contextlib.contextmanager
def memory(mib, seed):
  """Another process takes up to so much memory, again and again."""
  command = [sys.executable, "-c", _HOG, str(mib * _MIB), str(seed)]
  with subprocess.Popen(command) as hog:
    try:
      yield
    finally:
      hog.kill()


@contextlib.contextmanager
def small_disk(folder, mib):
  """A file system of its own at a folder, which goes on where it was left.

  Only root may mount one; for others nothing happens, and `full` limits the
  size of files instead. It stays mounted, since all that was written is there.
  """
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  if os.getuid() == 0 and not os.path.ismount(folder):
    options = f"size={mib}m"
    subprocess.run(
      ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True
    )
  yield folder


def unmount(folder):
  """Gives back what `small_disk` mounted, with all that is on it."""
  if os.path.ismount(folder):
    subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def full(folder, seed):
  """The disk of a folder is full for moments; then there is room again."""
  if not os.path.ismount(folder):
    yield from _short_files(seed)
    return
  over = threading.Event()
  filler = threading.Thread(target=_fill, args=(folder, seed, over))
  filler.start()
  try:
    yield
  finally:
    over.set()
    filler.join()


def _short_files(seed):
  """Children cannot write files beyond a size; ours are small."""
  old = resource.getrlimit(resource.RLIMIT_FSIZE)
  size = random.Random(seed).randint(4_000, 100_000)
  resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, old)


def _fill(folder, seed, over):
  chance, path = random.Random(seed), pathlib.Path(folder) / "filler"
  while not over.is_set():
    over.wait(chance.uniform(0.5, 8.0))
    try:
      with path.open("wb", buffering=0) as file:
        _write_all(file, over, time.monotonic() + chance.uniform(0.5, 5.0))
    finally:
      path.unlink(missing_ok=True)


def _write_all(file, over, until):
  """Writes whenever there is room, up to a time."""
  while time.monotonic() < until and not over.is_set():
    try:
      file.write(bytes(_MIB // 4))
    except OSError:
      time.sleep(0.01)
