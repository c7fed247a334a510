"""Pickles that build data, and those that are damaged or do more than that."""

import collections
import pickle
import struct
import tracemalloc

import dill
import jax.numpy as jnp
import numpy as np
import pickle_programs
import pytest

from byol_jax.interop import inert, restricted_pickle


@pytest.fixture
def load(tmp_path):
  return lambda data: pickle_programs.load(tmp_path / "x.pkl", data)


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
    (
      b"c_codecs\nencode\n"
      + pickle_programs.text("x")
      + pickle_programs.text("rot13")
      + b"\x86R",
      "encodes",
    ),
    (b"cdill._dill\n_create_array\nc_codecs\nencode\n))\x87R", "NumPy"),
    (b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\ndtype\n\x85R", "class"),
  ],
)
def test_what_no_checkpoint_needs_is_refused(load, body, named):
  with pytest.raises(inert.PickleError, match=named):
    load(pickle_programs.program(body))


def test_an_array_is_what_its_bytes_say(load):
  got = inert.built(
    load(pickle_programs.array_of("f4", (2,), "\0\0\x80?\0\0\0@"))
  )
  np.testing.assert_array_equal(got, np.float32([1, 2]))
  assert got.dtype == np.float32


@pytest.mark.parametrize("shape", [(3,), (1,), (), (2**30, 2**30, 2**30)])
def test_arrays_have_the_bytes_of_their_shape(load, shape):
  with pytest.raises(inert.PickleError, match="has 8 bytes"):
    load(pickle_programs.array_of("f4", shape, "\0" * 8))


@pytest.mark.parametrize(
  "data",
  [
    pickle_programs.array_of("f4", (-2,), "\0" * 8),
    pickle_programs.array_of("f4", (1,) * 40 + (2,), "\0" * 8),
    pickle_programs.array_of("O8", (1,), "\0" * 8),
    pickle_programs.array_of("V8", (1,), "\0" * 8),
    pickle_programs.array_of("f4,f4", (1,), "\0" * 8),
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
  data = pickle_programs.program(b"N0" * 20 + b"N")
  assert load(data) is None
  with pytest.raises(inert.PickleError, match="more than 50 instructions"):
    load(pickle_programs.program(b"N0" * 25 + b"N"))


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
