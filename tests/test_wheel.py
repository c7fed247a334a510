"""What an installation has, and that it works away from a clone."""

import configparser
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parent.parent
TOOLS = ("build", "setuptools")

pytestmark = pytest.mark.skipif(
  any(importlib.util.find_spec(name) is None for name in TOOLS),
  reason="needs build and setuptools",
)


@pytest.fixture(name="made", scope="module")
def _made(tmp_path_factory):
  """Folder of the source distribution and of the wheel that is made of it."""
  source = tmp_path_factory.mktemp("source") / "clone"
  unwanted = shutil.ignore_patterns(".*", "runs", "build", "dist", "*.egg-info")
  shutil.copytree(ROOT, source, ignore=unwanted)
  out = source.parent / "out"
  command = ["-m", "build", "--no-isolation", f"--outdir={out}", str(source)]
  done = subprocess.run(
    [sys.executable, *command], capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stdout + done.stderr
  return out


@pytest.fixture(name="wheel", scope="module")
def _wheel(made):
  (file,) = made.glob("*.whl")
  with zipfile.ZipFile(file) as opened:
    yield opened


@pytest.fixture(name="installed", scope="module")
def _installed(made, tmp_path_factory):
  """Where pip has put the wheel, without what it needs."""
  folder = tmp_path_factory.mktemp("site")
  (file,) = made.glob("*.whl")
  command = ["pip", "install", "--quiet", "--no-deps", "--no-index"]
  subprocess.run(
    [sys.executable, "-m", *command, f"--target={folder}", str(file)],
    check=True,
  )
  return folder


def _tops(names):
  return {name.partition("/")[0] for name in names}


def _sources(folder):
  found = (ROOT / folder).rglob("*.py")
  return {str(path.relative_to(ROOT)) for path in found}


def test_wheel_has_one_module_at_the_top(wheel):
  info = "byol_jax-0.1.0.dist-info"
  assert _tops(wheel.namelist()) == {"byol_jax", info}


@pytest.mark.parametrize("folder", ["configs", "experiments"])
def test_wheel_has_configs_and_experiments_within(wheel, folder):
  assert len(_sources(folder)) > 5
  wanted = {f"byol_jax/{name}" for name in _sources(folder)}
  assert wanted <= set(wheel.namelist())


def test_wheel_has_every_module_and_nothing_else_to_run(wheel):
  folders = ("byol_jax", "configs", "experiments")
  inside = set().union(*map(_sources, folders))
  names = {name.removeprefix("byol_jax/") for name in inside}
  programs = {name for name in wheel.namelist() if name.endswith(".py")}
  assert {name.removeprefix("byol_jax/") for name in programs} == names


@pytest.mark.parametrize(
  "name",
  [
    "byol_jax/py.typed",
    "byol_jax/experiments/paper_tables.json",
    "byol_jax-0.1.0.dist-info/licenses/LICENSE",
  ],
)
def test_wheel_has_what_is_no_module(wheel, name):
  assert name in wheel.namelist()


def test_wheel_has_no_results_of_the_clone(wheel):
  assert list((ROOT / "experiments/results").rglob("*.jsonl"))
  assert not [name for name in wheel.namelist() if name.endswith(".jsonl")]


def test_wheel_names_the_command(wheel):
  points = configparser.ConfigParser()
  points.read_string(
    wheel.read("byol_jax-0.1.0.dist-info/entry_points.txt").decode()
  )
  assert points["console_scripts"]["byol"] == "byol_jax.cli:main"


def test_source_distribution_leaves_tests_and_results_out(made):
  (file,) = made.glob("*.tar.gz")
  with tarfile.open(file) as opened:
    names = [name.partition("/")[2] for name in opened.getnames()]
  assert {"byol_jax", "configs", "experiments", "LICENSE"} <= _tops(names)
  assert not _tops(names) & {"tests", "benchmarks", "docs"}
  assert not [name for name in names if "results/" in name]


def test_the_command_finds_its_configs_in_the_wheel(installed, tmp_path):
  variables = {**os.environ, "PYTHONPATH": str(installed)}
  command = ["experiment", "table5b", "--scale=desk", "--print"]
  done = subprocess.run(
    [installed / "bin" / "byol", *command],
    cwd=tmp_path,
    env=variables,
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.stderr == ""
  assert "--config=configs/cifar10.py:desk" in done.stdout
  assert list(tmp_path.iterdir()) == []
