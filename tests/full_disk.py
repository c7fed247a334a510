"""A disk that takes no more, for this process and for a moment."""

import contextlib
import resource


@contextlib.contextmanager
def after(num_bytes):
  """No file grows beyond so many bytes; the error is EFBIG, not ENOSPC."""
  old = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, old[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, old)
