"""Two CPU devices and strict shapes for every test.

The environment is set here because JAX reads it once, when first imported.
"""

import atexit
import os
import shutil
import tempfile

_DEVICE_COUNT = "--xla_force_host_platform_device_count"


# Most of the time goes into compiling, and the code runs for moments only.
_QUICK = "--xla_backend_optimization_level=0"


def _with_two_devices(flags: str) -> str:
  kept = [flag for flag in flags.split() if not flag.startswith(_DEVICE_COUNT)]
  return " ".join([*kept, f"{_DEVICE_COUNT}=2", _QUICK])


os.environ["XLA_FLAGS"] = _with_two_devices(os.environ.get("XLA_FLAGS", ""))
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
# Nothing of a test goes into the user's cache of compiled programs. What one
# has compiled the others take, also those in other processes. The folder is
# left behind where the session is killed.
if "PYTEST_XDIST_WORKER" not in os.environ:
  _compiled = tempfile.mkdtemp(prefix="byol_jax_tests_")
  atexit.register(shutil.rmtree, _compiled, ignore_errors=True)
  os.environ["JAX_COMPILATION_CACHE_DIR"] = _compiled
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
# Without a limit of size JAX does not lock the folder: what is read while it is
# written is compiled once more. Here for the programs that the tests start, in
# pyproject.toml for the tests.
os.environ["PYTHONWARNINGS"] = (
  "ignore:Error reading persistent compilation cache entry:UserWarning"
)
