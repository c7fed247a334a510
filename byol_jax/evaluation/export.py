"""Features to a file, row by row, whatever their number.

`.npz` holds `features` [n, dim] float32 and `names`, with labels also `labels`
int32 and `class_names`. `.parquet` has the columns `name`, with labels `label`,
and `features`, lists of fixed length; its schema's metadata has `class_names`
as JSON.
"""

import errno
import importlib.util
import itertools
import json
import os
import pathlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np

from byol_jax import intact

# Rows that a row group of Parquet holds, and that are turned into text at once:
# 32 MiB of 2048 features.
_CHUNK = 4096
# What only a write fails with; a picture that cannot be read says so itself.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Rows(NamedTuple):
  """What is known of the pictures before they are encoded.

  Attributes:
    names: [n] paths.
    labels: [n] int32; [0] when unlabelled.
    class_names: the name of each class; empty when unlabelled.
  """

  names: Sequence[str]
  labels: np.ndarray
  class_names: tuple[str, ...]


def check_path(path: str) -> None:
  """Finds out beforehand whether a file can be written.

  Args:
    path: of the file.

  Raises:
    ValueError: its ending is unknown, it is a folder, or a package for it is
      missing.
    OSError: its folder is missing or may not be written.
  """
  _writer(path)
  if path.endswith(".parquet") and not importlib.util.find_spec("pyarrow"):
    raise ValueError(
      f"{path} needs the package pyarrow: pip install 'byol-jax[parquet]', or"
      " write an .npz."
    )
  if os.path.isdir(path):
    raise ValueError(f"{path} is a folder.")
  intact.try_out(path)


def write(path: str, rows: Rows, chunks: Iterator[np.ndarray]) -> int:
  """Writes features as they come; the file is there whole, or not at all.

  Until it is whole it is called `path` and ".tmp".

  Args:
    path: ends in .npz or .parquet; a file of that name is replaced.
    rows: names and labels.
    chunks: the features in the order of `rows`, each [some, dim] float32; at
      least one.

  Returns:
    How many features a picture has.

  Raises:
    ValueError: there are more or fewer features than names, or the path ends
      in neither.
    OSError: the file cannot be written.
  """
  write_to = _writer(path)
  draft = _draft(path)
  try:
    with open(draft, "wb") as file:
      dim = write_to(file, rows, _counted(chunks, len(rows.names)))
    draft.replace(path)
  except OSError as error:
    if error.errno in _FULL:
      with intact.writing(path):
        raise
    raise
  finally:
    draft.unlink(missing_ok=True)
  return dim


def _writer(path: str) -> Callable[[BinaryIO, Rows, Iterator], int]:
  """The function that writes a file with this ending."""
  if path.endswith(".npz"):
    return _write_npz
  if path.endswith(".parquet"):
    return _write_parquet
  raise ValueError(f"{path} has to end in .npz or .parquet.")


def _draft(path: str) -> pathlib.Path:
  return pathlib.Path(f"{path}.tmp")


def _counted(chunks: Iterator[np.ndarray], total: int) -> Iterator[np.ndarray]:
  """Passes chunks on if they have so many rows in all."""
  count = 0
  for chunk in chunks:
    count += len(chunk)
    if count > total:
      break
    yield chunk
  if count != total:
    raise ValueError(f"{total} pictures have {count} rows of features.")


def _write_npz(file: BinaryIO, rows: Rows, chunks: Iterator[np.ndarray]) -> int:
  first = next(chunks)
  dim = first.shape[1]
  count = len(rows.names)
  text = np.dtype(f"U{max(map(len, rows.names))}")
  names = (
    rows.names[start : start + _CHUNK] for start in range(0, count, _CHUNK)
  )
  with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
    features = itertools.chain((first,), chunks)
    _add(archive, "features", np.dtype("<f4"), (count, dim), features)
    _add(archive, "names", text, (count,), names)
    if rows.class_names:
      classes = np.array(rows.class_names)
      _add(archive, "labels", np.dtype("<i4"), (count,), [rows.labels])
      _add(archive, "class_names", classes.dtype, classes.shape, [classes])
  return dim


def _add(
  archive: zipfile.ZipFile,
  name: str,
  dtype: np.dtype,
  shape: tuple[int, ...],
  chunks: Iterable[Sequence],
) -> None:
  """Adds an array as `numpy.savez` does, of which never all is in memory."""
  header = {
    "descr": np.lib.format.dtype_to_descr(dtype),
    "fortran_order": False,
    "shape": shape,
  }
  # zipfile cannot know the size: it must leave room for 4 GB and more.
  with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
    np.lib.format.write_array_header_1_0(member, header)
    for chunk in chunks:
      member.write(np.asarray(chunk, dtype).tobytes())


def _write_parquet(
  file: BinaryIO, rows: Rows, chunks: Iterator[np.ndarray]
) -> int:
  # Not everybody has it.
  import pyarrow as pa
  from pyarrow import parquet

  first = next(chunks)
  dim = first.shape[1]
  fields = {"name": pa.string(), "features": pa.list_(pa.float32(), dim)}
  metadata = {}
  if rows.class_names:
    fields["label"] = pa.int32()
    metadata["class_names"] = json.dumps(rows.class_names)
  schema = pa.schema(fields, metadata)
  start = 0
  # A dictionary of features, which never repeat, would only cost time.
  with parquet.ParquetWriter(file, schema, use_dictionary=False) as writer:
    for chunk in _joined(itertools.chain((first,), chunks)):
      part = slice(start, start + len(chunk))
      flat = pa.array(chunk.reshape(-1), pa.float32())
      columns = {
        "name": [_as_utf8(name) for name in rows.names[part]],
        "features": pa.FixedSizeListArray.from_arrays(flat, dim),
      }
      if rows.class_names:
        columns["label"] = rows.labels[part]
      writer.write_table(pa.table(columns, schema))
      start += len(chunk)
  return dim


def _joined(chunks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
  """The same rows in larger chunks: each becomes one row group."""
  waiting, count = [], 0
  for chunk in chunks:
    waiting.append(chunk)
    count += len(chunk)
    if count >= _CHUNK:
      yield np.concatenate(waiting)
      waiting, count = [], 0
  if waiting:
    yield np.concatenate(waiting)


def _as_utf8(name: str) -> str:
  """A path with its bytes that are no UTF-8 written out."""
  return name.encode("utf-8", "backslashreplace").decode()
