"""TensorBoard's event files, of which a run has few however often it began.

Written by the caller's thread: writers with one of their own die on a full disk
and leave the training waiting for ever.
"""

import struct
import time
from collections.abc import Iterable, Mapping
from typing import Any

from etils import epath
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer import record_writer

# TensorBoard finds a file by this part of its name.
_MARK = "tfevents"
# Holds a picture, and is read before all others.
_FIRST = f"events.out.{_MARK}.0.pictures"
# A restart adds a file; beyond so many they become one.
_MAX_FILES = 20
# A bucket gets the whole file at each flush.
_SECS_BETWEEN_FLUSHES = 120.0


class Events:
  """An event file. A context manager's `close` writes out the rest."""

  def __init__(
    self,
    folder: epath.PathLike,
    first_step: int,
    lines: Iterable[Mapping[str, Any]],
  ):
    """Opens a new file in a folder.

    Too many files become one that has `lines`, all dated now: TensorBoard
    draws them over the steps as before, not over the hours.

    Args:
      folder: made if it is missing.
      first_step: the restored step; TensorBoard forgets what came later.
      lines: all that was recorded up to there: "step" and numbers by name.

    Raises:
      OSError: the folder cannot be written.
    """
    folder = epath.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    old = [x for x in folder.iterdir() if _MARK in x.name and x.name != _FIRST]
    if len(old) >= _MAX_FILES:
      _join(folder, old, lines)
    self._writer = _begin(_new(folder, first_step), first_step + 1)
    self._flushed_secs = time.monotonic() - _SECS_BETWEEN_FLUSHES

  def write(self, step: int, metrics: Mapping[str, float]) -> None:
    """Adds numbers, which TensorBoard sees after two minutes at the latest.

    Args:
      step: number of updates behind the numbers.
      metrics: names and Python numbers.

    Raises:
      OSError: the file cannot be written.
    """
    _add(self._writer, step, metrics)
    if time.monotonic() - self._flushed_secs >= _SECS_BETWEEN_FLUSHES:
      self.flush()

  def flush(self) -> None:
    """Shows TensorBoard all that was written.

    Raises:
      OSError: the file cannot be written.
    """
    self._writer.flush()
    self._flushed_secs = time.monotonic()

  def close(self) -> None:
    """Writes out the rest.

    Raises:
      OSError: the file cannot be written.
    """
    self._writer.close()


def write_picture(folder: epath.PathLike, name: str, png: bytes) -> None:
  """Shows a picture, at step 0, beside the numbers of a run.

  It has a file of its own, which a second call replaces.

  Args:
    folder: of the events; made if it is missing.
    name: TensorBoard's heading.
    png: the file.

  Raises:
    OSError: it cannot be written.
  """
  folder = epath.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  # TensorBoard would read it under the other name.
  draft = folder / "picture.tmp"
  width, height = struct.unpack(">II", png[16:24])
  image = summary_pb2.Summary.Image(
    width=width, height=height, colorspace=3, encoded_image_string=png
  )
  value = summary_pb2.Summary.Value(tag=name, image=image)
  try:
    writer = _begin(draft, 0)
    try:
      _put(writer, step=0, summary=summary_pb2.Summary(value=[value]))
    finally:
      writer.close()
    draft.replace(folder / _FIRST)
  finally:
    draft.unlink(missing_ok=True)


def has_picture(folder: epath.PathLike) -> bool:
  """Whether a folder of events has what `write_picture` writes."""
  return (epath.Path(folder) / _FIRST).exists()


def remove_picture(folder: epath.PathLike) -> None:
  """Removes what `write_picture` has written, if it has.

  Raises:
    OSError: it cannot be removed.
  """
  (epath.Path(folder) / _FIRST).unlink(missing_ok=True)


def _join(
  folder: epath.Path,
  old: Iterable[epath.Path],
  lines: Iterable[Mapping[str, Any]],
) -> None:
  """Puts one file with everything in the place of many."""
  draft = folder / "joined.tmp"
  try:
    writer = _begin(draft, 0)
    try:
      for line in lines:
        _add(writer, line["step"], line)
    finally:
      writer.close()
    # Whoever is killed here leaves numbers twice, which is better than never.
    draft.replace(_new(folder, 0))
  finally:
    draft.unlink(missing_ok=True)
  for path in old:
    path.unlink()


def _new(folder: epath.Path, first_step: int) -> epath.Path:
  """A name that no earlier file has, and that is sorted after theirs."""
  name = f"events.out.{_MARK}.{time.time_ns()}.from_step_{first_step}"
  return folder / name


def _begin(path: epath.Path, purge_step: int) -> record_writer.RecordWriter:
  """A file whose head drops the earlier files' events from a step on."""
  writer = record_writer.RecordWriter(path.open("wb"))
  start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
  _put(writer, file_version="brain.Event:2")
  _put(writer, step=purge_step, session_log=start)
  return writer


def _add(
  writer: record_writer.RecordWriter, step: int, metrics: Mapping[str, Any]
) -> None:
  values = [
    summary_pb2.Summary.Value(tag=name, simple_value=value)
    for name, value in metrics.items()
    if name != "step" and isinstance(value, (int, float))
  ]
  _put(writer, step=step, summary=summary_pb2.Summary(value=values))


def _put(writer: record_writer.RecordWriter, **fields: Any) -> None:
  event = event_pb2.Event(wall_time=time.time(), **fields)
  writer.write(event.SerializeToString())
