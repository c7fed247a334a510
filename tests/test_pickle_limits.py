"""Small pickles that would take much memory or time."""

import struct
import tracemalloc

import pickle_programs
import pytest

from byol_jax.interop import inert, restricted_pickle


@pytest.fixture
def load(tmp_path):
  return lambda data: pickle_programs.load(tmp_path / "x.pkl", data)


@pytest.fixture
def peak(load):
  """Loads what has to be refused; the most bytes that it took."""

  def run(data, named):
    tracemalloc.start()
    try:
      with pytest.raises(inert.PickleError, match=named):
        load(data)
      return tracemalloc.get_traced_memory()[1]
    finally:
      tracemalloc.stop()

  return run


def kept(number):
  """Names the newest value, and takes it away."""
  return b"q" + bytes([number]) + b"0"


def laughs():
  """A million texts, in tuples of ten names of the next smaller one."""
  body = pickle_programs.text("ha") + kept(0)
  for number in range(6):
    body += b"(" + (b"h" + bytes([number])) * 10 + b"t" + kept(number + 1)
  return body + b"h\x06"


def deep():
  """A tuple within so many others that Python cannot write it."""
  return b")" + b"\x85" * 20_000


@pytest.mark.parametrize("body", [laughs(), deep()], ids=["wide", "deep"])
@pytest.mark.parametrize(
  "program",
  [
    lambda body: body + pickle_programs.text("x") + b"\x93",
    lambda body: b"cnumpy\ndtype\n(" + body + b"tR",
  ],
  ids=["name", "dtype"],
)
def test_what_is_no_text_is_told_by_its_type(peak, program, body):
  data = pickle_programs.program(program(body))
  assert peak(data, "something of type tuple") < 3e6


@pytest.mark.parametrize("size", [79, 80, 81, 10**7])
def test_texts_are_shortened_before_they_are_escaped(size):
  assert inert.shown("a" * size) == "a" * min(size, 80) + "..." * (size > 80)
  tracemalloc.start()
  assert len(inert.shown("\u20ac" * size)) == 83
  assert tracemalloc.get_traced_memory()[1] < 1e5 + 2 * size
  tracemalloc.stop()


BUFFER = b"B" + struct.pack("<I", 20_000) + b"a" * 20_000
SHAPE = b"J" + struct.pack("<i", 5000) + b"\x85"
DTYPE = (
  b"cnumpy\ndtype\n"
  + (pickle_programs.text("f4") + b"\x85R(K\x03")
  + (pickle_programs.text(">") + b"tb")
)
FROM_BUFFER = b"cnumpy.core.numeric\n_frombuffer\n" + kept(0)
END = DTYPE + SHAPE + pickle_programs.text("C") + b"t" + kept(1)
# What is made once, and the instructions that make bytes or an array of it.
CALLS = {
  "text": (
    (b"c_codecs\nencode\n" + kept(0) + b"(" + pickle_programs.text("a" * 1000))
    + (pickle_programs.text("latin1") + b"t" + kept(1)),
    b"h\x00h\x01R",
  ),
  "swapped": (FROM_BUFFER + b"(" + BUFFER + END, b"h\x00h\x01R"),
  "bytearray": (
    FROM_BUFFER + b"(\x96" + struct.pack("<Q", 20_000) + BUFFER[5:] + END,
    b"h\x00h\x01R",
  ),
  "built": (
    b"cnumpy.core.multiarray\n_reconstruct\n"
    + (kept(0) + b"cnumpy\nndarray\n\x85" + kept(1))
    + (b"(K\x01" + SHAPE + DTYPE + b"\x89" + BUFFER + b"t" + kept(2)),
    b"h\x00h\x01Rh\x02b",
  ),
}


def repeated(name, count):
  """A program that makes the same bytes or array again and again."""
  once, again = CALLS[name]
  return pickle_programs.program(once + (again + b"0") * count + b"N")


@pytest.mark.parametrize("name", CALLS)
def test_bytes_are_made_as_often_as_they_are_there(load, peak, name):
  assert load(repeated(name, 20)) is None
  assert peak(repeated(name, 2000), "more arrays than it has bytes") < 2e6


def test_classes_of_named_tuples_copy_no_names(peak):
  text = pickle_programs.text
  made = b"cdill._dill\n_create_namedtuple\n" + kept(0) + b"("
  made += text("a" * 1000) + b")" + text("optax." + "b" * 900) + b"t" + kept(1)
  data = pickle_programs.program(made + b"h\x00h\x01R" * 2000)
  assert peak(data, "does not end with one value") < 2e6


@pytest.mark.parametrize("body", [b"(", b"}", b"]", b"N"])
def test_the_most_instructions_take_little_memory(peak, body):
  count = 5000
  data = pickle_programs.program(body * count)
  taken = peak(data, "does not end with one value")
  assert taken / count * restricted_pickle._MAX_INSTRUCTIONS < 2e8
