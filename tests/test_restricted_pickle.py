"""Pickles that do what they are asked to, and what becomes of them here."""

import collections
import functools
import operator
import os
import pickle
import struct
import subprocess
import tracemalloc

import dill
import jax.numpy as jnp
import numpy as np
import pytest

from byol_jax.interop import inert, pickled_values, restricted_pickle


class Call:
  """Pickled, the call of a function."""

  def __init__(self, function, *arguments):
    self.function, self.arguments = function, arguments

  def __call__(self):
    """Without it pickle would not write the call of a call."""

  def __reduce__(self):
    return self.function, self.arguments


class Kept:
  """Pickled, an object whose state is another's."""

  def __init__(self, state=None):
    self.state = state

  def __reduce__(self):
    return Kept, (), self.state


def text(value):
  data = value.encode()
  return b"X" + struct.pack("<I", len(data)) + data


def program(body):
  return b"\x80\x02" + body + b"."


def called(module, name, *arguments):
  """A call of a function by its name, whether or not there is one."""
  packed = b"".join(map(text, arguments))
  return program(f"c{module}\n{name}\n".encode() + b"(" + packed + b"tR")


def stacked(module, name, argument):
  """The same in protocol 4, which follows dots."""
  body = text(module) + text(name) + b"\x93" + text(argument) + b"\x85R"
  return b"\x80\x04" + body + b"."


@pytest.fixture
def load(tmp_path):
  def load_bytes(data):
    path = tmp_path / "x.pkl"
    path.write_bytes(data)
    return restricted_pickle.load(str(path), pickled_values.FUNCTIONS)

  return load_bytes


def _object_array(call):
  array = np.empty(1, object)
  array[0] = call
  return array


# What makes a pickle of a command, and what the refusal names. Python's own
# reader runs each of them but the last.
EXPLOITS = {
  "system": (lambda x: pickle.dumps(Call(os.system, x), 2), "posix.system"),
  "system_4": (lambda x: pickle.dumps(Call(os.system, x), 4), "posix.system"),
  "eval": (
    lambda x: pickle.dumps(Call(eval, f"__import__('os').system('{x}')"), 2),
    "__builtin__.eval",
  ),
  "exec": (
    lambda x: pickle.dumps({"a": Call(exec, f"import os\nos.system('{x}')")}),
    "builtins.exec",
  ),
  "nested": (
    lambda x: pickle.dumps(
      Call(Call(getattr, Call(__import__, "os"), "system"), x)
    ),
    "builtins.getattr",
  ),
  "partial": (
    lambda x: pickle.dumps(Call(Call(functools.partial, os.system, x))),
    "functools.partial",
  ),
  "caller": (
    lambda x: pickle.dumps(
      Call(operator.methodcaller("system", x), Call(__import__, "os"))
    ),
    "operator.methodcaller",
  ),
  "state": (
    lambda x: pickle.dumps(Kept({"a": Call(os.system, x)})),
    "test_restricted_pickle.Kept",
  ),
  "object_array": (
    lambda x: pickle.dumps(_object_array(Call(os.system, x)), 2),
    "O8",
  ),
  "dotted": (
    lambda x: stacked("os", "path.os.system", x),
    "os.path.os.system",
  ),
  "through_numpy": (
    lambda x: stacked("numpy", "f2py.os.system", x),
    "numpy.f2py.os.system",
  ),
  "named_tuple": (
    # What dill returns is the class itself.
    lambda x: program(
      b"cdill._dill\n_create_namedtuple\n("
      + (text("Popen") + b")" + text("subprocess") + b"tR](")
      + (b"".join(map(text, x.split())) + b"e\x85R")
    ),
    "subprocess.Popen",
  ),
  "module": (
    lambda x: program(
      b"cdill._dill\n_get_attr\n(cdill._dill\n_import_module\n("
      + (text("os") + b"tR" + text("system") + b"tR" + text(x) + b"\x85R")
    ),
    "dill._dill._get_attr",
  ),
  "type": (
    lambda x: program(
      b"cdill._dill\n_create_type\ncdill._dill\n_load_type\n"
      + (text("TypeType") + b"\x85R" + text("A") + b")}\x87R")
    ),
    "dill._dill._create_type",
  ),
}


RUN_BY_PICKLE = [name for name in EXPLOITS if name != "type"]


@pytest.mark.parametrize("name", EXPLOITS)
def test_exploits_are_refused_by_name_and_run_nothing(load, tmp_path, name):
  make, named = EXPLOITS[name]
  witness = tmp_path / "witness"
  with pytest.raises(inert.PickleError, match=named.replace(".", r"\.")):
    load(make(f"touch {witness}"))
  assert not witness.exists()


@pytest.mark.parametrize("name", RUN_BY_PICKLE)
def test_exploits_are_real(tmp_path, name):
  make, _ = EXPLOITS[name]
  witness = tmp_path / "witness"
  data = make(f"touch {witness}")
  made = pickle.loads(data)
  if isinstance(made, subprocess.Popen):
    made.wait()
  assert witness.exists()


# Instructions that fetch objects from elsewhere, or make them in other ways.
@pytest.mark.parametrize(
  ("body", "named"),
  [
    (b"Pname\n", "PERSID"),
    (b"NQ", "BINPERSID"),
    (b"\x82\x01", "EXT1"),
    (b"\x83\x01\x00", "EXT2"),
    (b"(ios\nsystem\n", "INST"),
    (b"(cos\nsystem\no", "os.system"),
    (b"(No", "OBJ"),
    (b"N)}\x92", "NEWOBJ_EX"),
    (b"\x97", "NEXT_BUFFER"),
    (b"N)R", "calls what is no function"),
    (b"N)\x81", "calls what is no function"),
    (b"cnumpy\ndtype\nNR", "calls what is no function"),
    # A state for what has none of its own would set attributes.
    (b"}}b", "takes none"),
    (b"cnumpy\nndarray\n}b", "takes none"),
    (b"cnumpy\nndarray\nN}\x86b", "takes none"),
    (b"cnumpy\nndarray\n)R", "ndarray"),
    (b"c_codecs\nencode\n" + text("x") + text("rot13") + b"\x86R", "encodes"),
    (b"cdill._dill\n_create_array\nc_codecs\nencode\n))\x87R", "NumPy"),
    (b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\ndtype\n\x85R", "class"),
  ],
)
def test_what_no_checkpoint_needs_is_refused(load, body, named):
  with pytest.raises(inert.PickleError, match=named):
    load(program(body))


@pytest.mark.parametrize(
  ("module", "name"),
  [
    ("numpy", "dtype.__class__"),
    ("numpy.core.multiarray", "_reconstruct.__globals__"),
    ("numpy.core", "multiarray._reconstruct"),
    ("numpy", "core.os.system"),
    ("dill._dill", "_load_type"),
    ("dill._dill", "_create_function"),
    ("__builtin__", "eval"),
    ("numpy\n", "dtype"),
  ],
)
def test_names_are_allowed_exactly_or_not_at_all(load, module, name):
  with pytest.raises(inert.PickleError, match="is refused: it names"):
    load(stacked(module, name, "x"))


@pytest.mark.parametrize("module", ["os", "subprocess", "bylo", "optax2.a"])
def test_named_tuples_are_those_of_checkpoints(load, module):
  made = b"cdill._dill\n_create_namedtuple\n(" + text("system")
  call = made + text("a") + b"\x85" + text(module) + b"tRN\x85\x81"
  with pytest.raises(inert.PickleError, match=f"it names {module}.system"):
    load(program(call))
  ours = call.replace(text(module), text("byol.byol_experiment"))
  assert load(program(ours)) == {"a": None}


def array_of(code, shape, data):
  """An array as NumPy's protocol 2 has it, of any claims."""
  sizes = b"".join(b"J" + struct.pack("<i", size) for size in shape)
  packed = b"c_codecs\nencode\n" + text(data) + text("latin1") + b"\x86R"
  return program(
    b"cnumpy._core.multiarray\n_reconstruct\n"
    + b"cnumpy\nndarray\nK\x00\x85"
    + (packed + b"\x87R(K\x01(" + sizes + b"t")
    + (b"cnumpy\ndtype\n" + text(code) + b"\x89\x88\x87R")
    + (b"(K\x03" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb")
    + (b"\x89" + packed + b"tb")
  )


def test_an_array_is_what_its_bytes_say(load):
  got = inert.built(load(array_of("f4", (2,), "\0\0\x80?\0\0\0@")))
  np.testing.assert_array_equal(got, np.float32([1, 2]))
  assert got.dtype == np.float32


@pytest.mark.parametrize("shape", [(3,), (1,), (), (2**30, 2**30, 2**30)])
def test_arrays_have_the_bytes_of_their_shape(load, shape):
  with pytest.raises(inert.PickleError, match="has 8 bytes"):
    load(array_of("f4", shape, "\0" * 8))


@pytest.mark.parametrize(
  "data",
  [
    array_of("f4", (-2,), "\0" * 8),
    array_of("f4", (1,) * 40 + (2,), "\0" * 8),
    array_of("O8", (1,), "\0" * 8),
    array_of("V8", (1,), "\0" * 8),
    array_of("f4,f4", (1,), "\0" * 8),
  ],
)
def test_arrays_hold_numbers_that_are_there(load, data):
  with pytest.raises(inert.PickleError, match="array"):
    load(data)


@pytest.mark.parametrize(
  "data",
  [
    b"\x80\x04\x8e" + struct.pack("<Q", 2**50) + b"x.",
    b"\x80\x02X\xff\xff\xff\xffabc.",
    b"\x80\x02\x8b\xff\xff\xff\x7f1.",
    b"\x80\x02I" + b"9" * 5000 + b"\n.",
    b"\x80\x02c" + b"a" * (2 * 10**7),
    b"\x80\x02.",
    b"\x80\x02NN.",
    b"\x80\x02(N.",
    b"\x80\x02t.",
    b"\x80\x02h\x07.",
    b"\x80\x02Na.",
    b"\x80\x02}]Ns.",
    b"\x80\x02N",
    b"\x80",
    b"\x80\x02\xff.",
  ],
)
def test_damage_is_said_and_takes_no_memory(load, data):
  tracemalloc.start()
  try:
    with pytest.raises(inert.PickleError):
      load(data)
    assert tracemalloc.get_traced_memory()[1] < 1e7
  finally:
    tracemalloc.stop()


def test_instructions_are_counted(load, monkeypatch):
  monkeypatch.setattr(restricted_pickle, "_MAX_INSTRUCTIONS", 50)
  data = program(b"N0" * 20 + b"N")
  assert load(data) is None
  with pytest.raises(inert.PickleError, match="more than 50 instructions"):
    load(program(b"N0" * 25 + b"N"))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dumps", [pickle.dumps, dill.dumps])
def test_data_comes_back_as_it_was(load, dumps, protocol):
  arrays = {
    "c": np.arange(600, dtype=np.float32).reshape(2, 300),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "swapped": np.arange(4, dtype=">i4"),
    "scalar": np.float32(2.5),
    "none": np.zeros((), np.int32),
    "jax": jnp.arange(3),
  }
  shared = ["x", 1, True, None, 2.5, (1, 2, 3, 4), 2**70]
  plain = {"list": shared, "again": shared, "dict": {}}
  ordered = collections.OrderedDict(b=1, a=2)
  got = load(dumps({"a": arrays, "p": plain, "o": ordered}, protocol))
  assert got["p"] == plain
  assert got["o"] == dict(ordered)
  for name, expected in arrays.items():
    found = inert.built(got["a"][name])
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.asarray(expected).dtype.newbyteorder("=")


def test_texts_that_are_no_bytes_are_refused(load):
  with pytest.raises(inert.PickleError, match="damaged"):
    load(pickle.dumps("\u20ac" * 2000, 2))
