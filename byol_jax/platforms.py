"""Which kind of device a program is made for."""

import contextlib
import contextvars
from collections.abc import Iterator

import jax

_LOWERED_FOR = contextvars.ContextVar("lowered_for", default="")


def name() -> str:
  """Platform of the devices: "cpu", "gpu" or "tpu".

  To be asked while a function is built or traced, by whoever does something
  else on one kind of device.
  """
  return _LOWERED_FOR.get() or jax.default_backend()


@contextlib.contextmanager
def lowering_for(platform: str) -> Iterator[None]:
  """Has `name` say another platform, for what is compiled but not run here.

  Args:
    platform: as `name` returns it.
  """
  token = _LOWERED_FOR.set(platform)
  try:
    yield
  finally:
    _LOWERED_FOR.reset(token)
