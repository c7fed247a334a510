"""What XLA is told: by every command before it starts, and of what runs once.

Importing the package changes nothing: only commands call `prepare`.
"""

import contextlib
import os
import pathlib
import platform
import tempfile
import zlib
from collections.abc import Callable

import jax
import jaxlib
from jaxlib import xla_client

from byol_jax import platforms

# For CPUs, and without a meaning elsewhere. Convolutions go through Eigen,
# whose gradients run on all cores, vectors are as wide as the machine's, and
# independent parts of a program run at once. None of them relaxes arithmetic.
_FLAGS = (
  "--xla_cpu_experimental_ynn_fusion_type=-individual_convolution",
  "--xla_cpu_prefer_vector_width=512",
  "--xla_cpu_scheduler_type=CPU_SCHEDULER_TYPE_CONCURRENCY_OPTIMIZED",
)
# Optimising takes three quarters of the time that a CPU's program compiles.
_IN_A_HURRY = {"xla_backend_optimization_level": 0}
# Where Linux says what instructions there are.
_PROCESSORS = pathlib.Path("/proc/cpuinfo")
# XLA aborts at a flag that it does not know: the releases that know them all,
# tried one by one. A later one is added here once it was.
_KNOWN_BY = frozenset({"0.10.2"})
# Bytes of compiled programs that are kept; a large ResNet's has some ten
# million.
_MAX_BYTES = 2 * 2**30


def prepare() -> None:
  """Sets flags and the cache of compiled programs where nobody else has.

  To be called before anything asks for a device. The user's XLA_FLAGS,
  JAX_COMPILATION_CACHE_DIR and JAX_COMPILATION_CACHE_MAX_SIZE win;
  JAX_ENABLE_COMPILATION_CACHE=0 switches the cache off. A folder that the user
  names keeps JAX's default, no limit of size.
  """
  _set_flags(os.environ.get("XLA_FLAGS"))
  if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    folder = cache_folder()
    if folder:
      _date(pathlib.Path(folder))
      jax.config.update("jax_compilation_cache_dir", folder)
      if "JAX_COMPILATION_CACHE_MAX_SIZE" not in os.environ:
        jax.config.update("jax_compilation_cache_max_size", _MAX_BYTES)


def _set_flags(given: str | None) -> None:
  """Has this XLA read its flags now, and no other.

  TensorFlow and plug-ins bring an XLA each, which may not know ours and would
  abort.
  """
  os.environ["XLA_FLAGS"] = with_flags(given or "", jaxlib.__version__)
  xla_client.CompileOptions()  # Whose defaults are the flags: read once.
  if given is None:
    del os.environ["XLA_FLAGS"]
  else:
    os.environ["XLA_FLAGS"] = given


def with_flags(given: str, version: str) -> str:
  """Adds ours to the user's flags.

  Args:
    given: XLA_FLAGS as the user has set it, flags or a file of them.
    version: of jaxlib.

  Returns:
    The user's, and of ours those that the user does not set and XLA knows.
  """
  bare = given.strip()
  is_file = bare and not bare.startswith("-")  # XLA reads the flags there.
  if version not in _KNOWN_BY or is_file:
    return given
  names = {_name(flag) for flag in given.split()}
  ours = [flag for flag in _FLAGS if _name(flag) not in names]
  return " ".join([given, *ours]).strip()


def cache_folder() -> str:
  """Where compiled programs are kept for the next start; "" for nowhere.

  A folder of the user's cache for processors like this one, since a home may be
  shared with others, or nowhere where it cannot be written.
  """
  base = os.environ.get("XDG_CACHE_HOME", "")
  try:
    root = pathlib.Path(base) if base else pathlib.Path.home() / ".cache"
    folder = root / "byol_jax" / "compiled" / _machine()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
      return str(folder)
  except (OSError, RuntimeError):  # Of a full or foreign disk; of no home.
    return ""


def hurried(function: Callable) -> Callable:
  """Compiles what runs but once fast, where it is for one host's CPU.

  Args:
    function: from `jax.jit` or `parallel.pmap`, for arguments of one shape.

  Returns:
    The same function, elsewhere as it is.
  """
  # Of many hosts, what `pmap` compiles takes the arrays of all.
  if platforms.name() != "cpu" or jax.process_count() > 1:
    return function
  compiled = []

  def run(*args):
    if not compiled:
      lowered = function.lower(*args)
      compiled.append(lowered.compile(compiler_options=_IN_A_HURRY))
    return compiled[0](*args)

  return run


def _date(folder: pathlib.Path) -> None:
  """Notes when programs were last used, where that is missing.

  With a limit of size JAX keeps a program's last use in a file beside it. Where
  one lacks it, kept without a limit or by a process that was killed in between,
  JAX could add no program any more.
  """
  with contextlib.suppress(OSError):  # Another process may remove them.
    for program in folder.glob("*-cache"):
      used = program.with_name(f"{program.name.removesuffix('-cache')}-atime")
      if not used.exists():
        nanosecs = program.stat().st_mtime_ns
        used.write_bytes(nanosecs.to_bytes(8, "little"))


def _machine() -> str:
  """A text that differs for processors with other instructions."""
  known = platform.machine()
  with contextlib.suppress(OSError):  # Not Linux.
    lines = _PROCESSORS.read_text().splitlines()
    known += next((x for x in lines if x.startswith(("flags", "Features"))), "")
  return f"{zlib.crc32(known.encode()):08x}"


def _name(flag: str) -> str:
  return flag.partition("=")[0]
