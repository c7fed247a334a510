"""Pickles written by hand, instruction by instruction."""

import struct

from byol_jax.interop import pickled_values, restricted_pickle


def load(path, data):
  """What is read of a file of these bytes.

  Args:
    path: where it is written.
    data: its content.
  """
  path.write_bytes(data)
  return restricted_pickle.load(str(path), pickled_values.FUNCTIONS)


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
