"""The settings of XLA: added to the user's, and only where they are known."""

import os
import pathlib
import subprocess
import sys

import jax
import jaxlib
import numpy as np
import pytest

from byol_jax import compiler, parallel, platforms

OURS = compiler.with_flags("", jaxlib.__version__).split()


def prepared(program="", **environment):
  """What a fresh process prints after `prepare`."""
  program = f"from byol_jax import compiler; compiler.prepare(); {program}"
  plain = {
    name: value
    for name, value in os.environ.items()
    if name not in ("XLA_FLAGS", "JAX_COMPILATION_CACHE_DIR")
  }
  done = subprocess.run(
    [sys.executable, "-c", program],
    env={**plain, **environment},
    capture_output=True,
    text=True,
    check=False,
  )
  assert (done.returncode, done.stderr) == (0, "")
  return done.stdout.strip()


def defaults(folder, flags=None):
  """What this XLA takes for its flags after `prepare`, and the variable."""
  program = (
    "import os; from jaxlib import xla_client;"
    "options = xla_client.CompileOptions().SerializeAsString();"
    "print(options.hex(), os.environ.get('XLA_FLAGS'))"
  )
  environment = {} if flags is None else {"XLA_FLAGS": flags}
  return prepared(program, XDG_CACHE_HOME=str(folder), **environment).split()


def test_this_xla_has_the_flags_and_no_other_sees_them(tmp_path):
  assert OURS
  options, variable = defaults(tmp_path)
  assert variable == "None"
  same, variable = defaults(tmp_path, OURS[1])
  assert (same, variable) == (options, OURS[1])
  name = OURS[1].partition("=")[0]
  other, variable = defaults(tmp_path, f"{name}=128")
  assert (other != options, variable) == (True, f"{name}=128")


@pytest.mark.parametrize("version", ["0.10.1", "0.11.0", "1.0"])
def test_an_untried_release_gets_no_flags(version):
  assert compiler.with_flags("--a=1", version) == "--a=1"


def test_the_users_flags_win():
  name = OURS[1].partition("=")[0]
  got = compiler.with_flags(f"--other=2 {name}=256", "0.10.2").split()
  assert got[:2] == ["--other=2", f"{name}=256"]
  assert got[2:] == [OURS[0], OURS[2]]


def test_a_file_of_flags_stays_alone():
  assert compiler.with_flags("flags.txt", "0.10.2") == "flags.txt"


def test_programs_are_kept_in_the_users_cache(monkeypatch, tmp_path):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  folder = compiler.cache_folder()
  assert tmp_path / "byol_jax" in pathlib.Path(folder).parents
  assert list(pathlib.Path(folder).iterdir()) == []


def test_another_processors_programs_are_not_used(monkeypatch, tmp_path):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  folders = set()
  for flags in ("fpu avx2", "fpu avx2 avx512f"):
    processors = tmp_path / "cpuinfo"
    processors.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(compiler, "_PROCESSORS", processors)
    folders.add(compiler.cache_folder())
  assert len(folders) == 2


def test_nothing_is_kept_where_nothing_can_be_written(monkeypatch, tmp_path):
  (tmp_path / "file").touch()
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
  assert compiler.cache_folder() == ""


@pytest.mark.parametrize(
  ("environment", "expected"),
  [
    ({}, "True"),
    ({"JAX_COMPILATION_CACHE_DIR": ""}, "False"),
    ({"JAX_ENABLE_COMPILATION_CACHE": "0"}, "False"),
  ],
)
def test_compiled_programs_are_kept_unless_switched_off(
  environment, expected, tmp_path
):
  program = (
    "import jax, pathlib, os; jax.jit(lambda x: x + 1)(1.0);"
    "print(any(x.is_file() for x in pathlib.Path(os.environ['XDG_CACHE_HOME'])"
    ".rglob('*')))"
  )
  environment = {
    "XDG_CACHE_HOME": str(tmp_path),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    **environment,
  }
  assert prepared(program, **environment) == expected


@pytest.mark.parametrize(
  ("environment", "expected"),
  [
    ({}, 2 * 2**30),
    ({"JAX_COMPILATION_CACHE_MAX_SIZE": "1000"}, 1000),
    ({"JAX_COMPILATION_CACHE_DIR": "mine"}, -1),  # No limit.
  ],
)
def test_the_cache_has_a_limit_unless_the_user_sets_one(
  environment, expected, tmp_path
):
  program = "import jax; print(jax.config.jax_compilation_cache_max_size)"
  environment = {"XDG_CACHE_HOME": str(tmp_path), **environment}
  assert prepared(program, **environment) == str(expected)


def test_the_least_recently_used_program_makes_room(tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  folder = pathlib.Path(compiler.cache_folder())
  for name, secs in (("old", 1), ("new", 2)):  # Kept before there was a limit.
    (folder / f"{name}-cache").write_bytes(bytes(50_000))
    os.utime(folder / f"{name}-cache", (secs, secs))
  prepared(
    "import jax; jax.jit(lambda x: x + 1)(1.0)",
    XDG_CACHE_HOME=str(tmp_path),
    JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
    JAX_COMPILATION_CACHE_MAX_SIZE="80000",
    JAX_RAISE_PERSISTENT_CACHE_ERRORS="1",
  )
  names = {x.name for x in folder.glob("*-cache")}
  assert "old-cache" not in names
  assert "new-cache" in names
  assert len(names) > 1


def test_what_runs_once_is_compiled_once_and_not_optimised(monkeypatch):
  function = parallel.pmap(lambda x: 2.0 * x)
  with platforms.lowering_for("tpu"):
    assert compiler.hurried(function) is function
  with monkeypatch.context() as patch:
    patch.setattr(jax, "process_count", lambda: 2)
    assert compiler.hurried(function) is function
  given, calls = np.ones((2, 3), np.float32), []
  compile_it = jax.stages.Lowered.compile

  def spied(lowered, compiler_options):
    calls.append(compiler_options)
    return compile_it(lowered, compiler_options)

  monkeypatch.setattr(jax.stages.Lowered, "compile", spied)
  hurried = compiler.hurried(function)
  for count in (1, 2):
    np.testing.assert_array_equal(hurried(count * given), 2.0 * count * given)
  assert calls == [{"xla_backend_optimization_level": 0}]
