"""What checkpoints name in pickles: arrays, dicts and named tuples, made inert.

The names are those of NumPy before and since version 2, of JAX arrays, which
are pickled as NumPy's, of dill, and of Haiku's dicts.
"""

import functools
import math
from typing import Any

import numpy as np

from byol_jax.interop import inert

# Kinds and bytes of numbers; "O", Python objects, is none of them.
_CODES = frozenset(
  {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"}
)
_ORDERS = frozenset("<>|=")
# Packages whose named tuples a checkpoint holds.
_OWNERS = frozenset(
  {"byol", "byol_experiment", "deepmind_research", "optax", "__main__"}
)
_MAX_FIELDS = 8
_MAX_AXES = 8
_MAX_SIZE = 2**31


def _refuse(what: str) -> inert.PickleError:
  return inert.PickleError(f"is damaged or no checkpoint: {what}")


def _ndarray(arguments: tuple[Any, ...]) -> Any:
  """The class of arrays, which is passed on and never called itself."""
  raise _refuse("it calls numpy.ndarray")


_NDARRAY = inert.Function("numpy.ndarray", _ndarray)


def _dtype(arguments: tuple[Any, ...]) -> inert.Unbuilt:
  """numpy.dtype(code, align, copy), then its byte order."""
  code = arguments[0] if arguments else None
  if not isinstance(code, str) or code not in _CODES:
    raise _refuse(f"an array is of {inert.shown(code)}, not of numbers")
  dtype = np.dtype(code)

  def build(state):
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
    if not isinstance(order, str) or order not in _ORDERS:
      raise _refuse("a type of numbers has no byte order")
    return dtype.newbyteorder(order)

  return inert.Unbuilt(dtype, build)


def _reconstruct(arguments: tuple[Any, ...]) -> inert.Unbuilt:
  """An empty array, then its shape and contents."""
  if not arguments or arguments[0] is not _NDARRAY:
    raise _refuse("it makes an array of another class")
  return inert.Unbuilt(None, _contents)


def _contents(state: Any) -> np.ndarray:
  """(version, shape, dtype, whether Fortran's order, bytes) as an array."""
  if not isinstance(state, tuple) or len(state) != 5:
    raise _refuse("an array's contents are not as NumPy writes them")
  _, shape, dtype, is_fortran, data = state
  return _array(data, dtype, shape, "F" if is_fortran is True else "C")


def _array(data: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
  """An array over bytes, of which there must be as many as the shape needs."""
  dtype, shape = inert.built(dtype), inert.built(shape)
  if not isinstance(dtype, np.dtype) or not isinstance(data, bytes | bytearray):
    raise _refuse("an array holds no numbers")
  if not _is_shape(shape):
    raise _refuse("an array has no shape")
  if math.prod(shape) * dtype.itemsize != len(data):
    raise _refuse(f"an array of shape {list(shape)} has {len(data)} bytes")
  native = dtype.newbyteorder("=")
  flat = np.frombuffer(bytes(data), dtype)
  return flat.astype(native, copy=False).reshape(shape, order=order)


def _is_shape(shape: Any) -> bool:
  return (
    isinstance(shape, tuple)
    and len(shape) <= _MAX_AXES
    and all(type(size) is int and 0 <= size < _MAX_SIZE for size in shape)
  )


def _is_one_of(value: Any, *texts: str) -> bool:
  return isinstance(value, str) and value in texts


def _scalar(arguments: tuple[Any, ...]) -> np.ndarray:
  """(dtype, bytes) as an array without axes."""
  if len(arguments) != 2:
    raise _refuse("a number is not as NumPy writes it")
  return _array(arguments[1], arguments[0], (), "C")


def _from_buffer(arguments: tuple[Any, ...]) -> np.ndarray:
  """(bytes, dtype, shape, order) of protocol 5."""
  if len(arguments) != 4 or not _is_one_of(arguments[3], "C", "F"):
    raise _refuse("an array is not as NumPy writes it")
  return _array(*arguments)


def _whole_array(arguments: tuple[Any, ...]) -> Any:
  """(function, arguments, state, more) of dill and of JAX: an array at once."""
  if len(arguments) < 3 or arguments[0] is not _RECONSTRUCT:
    raise _refuse("an array is made by something else than NumPy")
  return _contents(arguments[2])


def _encode(arguments: tuple[Any, ...]) -> bytes:
  """codecs.encode(text, "latin1"): bytes as protocol 2 writes them."""
  if len(arguments) != 2 or not _is_one_of(arguments[1], "latin1", "latin-1"):
    raise _refuse("it encodes a text as something else than bytes")
  text = arguments[0]
  if isinstance(text, inert.Packed):
    return text.data
  if not isinstance(text, str):
    raise _refuse("it encodes something that is no text")
  return text.encode("latin1")


def _no_bytes(arguments: tuple[Any, ...]) -> bytes:
  """bytes(), as protocol 2 writes none at all."""
  if arguments:
    raise _refuse("it makes bytes of something")
  return b""


def _dict(arguments: tuple[Any, ...]) -> dict[str, Any]:
  """A dict of another class, from one dict, or empty and filled later."""
  made = arguments[0] if arguments else {}
  if len(arguments) > 1 or type(made) is not dict:
    raise _refuse("a dict is made of something else than a dict")
  return made


def _named_tuple(arguments: tuple[Any, ...]) -> inert.Function:
  """Dill's (name, fields, module, defaults) to a class of named tuples."""
  if len(arguments) not in (3, 4):
    raise _refuse("a named tuple is not as dill writes it")
  name, fields, module = arguments[:3]
  if not isinstance(fields, tuple) or len(fields) > _MAX_FIELDS:
    raise _refuse("a named tuple has no fields")
  if not all(isinstance(x, str) for x in (name, module, *fields)):
    raise _refuse("a named tuple has names that are no texts")
  if module.partition(".")[0] not in _OWNERS:
    raise inert.refused(f"names {inert.shown(module)}.{inert.shown(name)}")
  # Nothing is joined to the name: what is called often would take memory.
  return _class_of(name, fields)


def _class_of(name: str, fields: tuple[str, ...]) -> inert.Function:
  return inert.Function(name, functools.partial(_record, name, fields))


def _record(
  name: str, fields: tuple[str, ...], arguments: tuple[Any, ...]
) -> dict[str, Any]:
  """A named tuple as a dict of its fields."""
  if len(arguments) != len(fields):
    raise _refuse(
      f"{inert.shown(name)} has {len(arguments)} fields instead of"
      f" {len(fields)}"
    )
  return dict(zip(fields, arguments, strict=True))


_RECONSTRUCT = inert.Function("numpy._reconstruct", _reconstruct)
_STATE = "_ByolExperimentState"
_STATE_FIELDS = (
  *("online_params", "target_params", "online_state", "target_state"),
  "opt_state",
)
_HAIKU = "haiku._src.data_structures"
# Named tuples that the standard library's pickle refers to.
_CLASSES = {
  ("byol.byol_experiment", _STATE): _STATE_FIELDS,
  ("byol_experiment", _STATE): _STATE_FIELDS,
  ("__main__", _STATE): _STATE_FIELDS,
  ("byol.utils.optimizers", "ScaleByLarsState"): ("mu",),
  ("byol.utils.optimizers", "AddWeightDecayState"): (),
  ("optax._src.transform", "ScaleState"): (),
  ("optax._src.base", "EmptyState"): (),
}
# All that a checkpoint may name.
FUNCTIONS = {
  ("numpy", "ndarray"): _NDARRAY,
  ("numpy", "dtype"): inert.Function("numpy.dtype", _dtype),
  ("_codecs", "encode"): inert.Function("codecs.encode", _encode),
  ("__builtin__", "bytes"): inert.Function("bytes", _no_bytes),
  ("collections", "OrderedDict"): inert.Function("OrderedDict", _dict),
  ("dill._dill", "_create_array"): inert.Function("dill array", _whole_array),
  ("dill._dill", "_create_namedtuple"): inert.Function(
    "namedtuple", _named_tuple
  ),
  ("jax._src.array", "_reconstruct_array"): inert.Function("jax", _whole_array),
  (
    "jax._src.device_array",
    "reconstruct_device_array",
  ): inert.Function("jax", _whole_array),
  **{
    (f"numpy.{core}.{module}", name): function
    for core in ("core", "_core")
    for module, name, function in (
      ("multiarray", "_reconstruct", _RECONSTRUCT),
      (
        "multiarray",
        "scalar",
        inert.Function("numpy.scalar", _scalar),
      ),
      (
        "numeric",
        "_frombuffer",
        inert.Function("numpy.frombuffer", _from_buffer),
      ),
    )
  },
  **{
    (_HAIKU, name): inert.Function(name, _dict)
    for name in ("frozendict", "FlatMapping", "FlatMap", "FrozenDict")
  },
  **{
    (module, name): _class_of(f"{module}.{name}", fields)
    for (module, name), fields in _CLASSES.items()
  },
}
