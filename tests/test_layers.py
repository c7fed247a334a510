"""Dependencies point down: the table of layers, held against every import."""

import ast
import graphlib
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "byol_jax"
MODULES = sorted(
  path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"
)
CONFIGS = sorted((ROOT / "configs").rglob("[!_]*.py"))

LAYERS = {
  "__main__": 10,
  "cli": 9,
  "convert": 8,
  "interop": 7,
  "preview": 8,
  "preflight": 8,
  "lowering": 7,
  "estimates": 2,
  "chips": 1,
  "hlo": 0,
  "platforms": 0,
  "compiler": 1,
  "encoding": 6,
  "encoding_command": 7,
  "grids": 5,
  "weights_and_biases": 3,
  "extract": 8,
  "inspect": 8,
  "inspection": 6,
  "main": 7,
  "pretrain": 6,
  "evaluate": 6,
  "describe": 6,
  "evaluation": 5,
  "dense": 6,
  "assembly": 5,
  "initial": 5,
  "config": 5,
  "loop": 4,
  "jobs": 3,
  "workdirs": 4,
  "evaluation_settings": 4,
  "dense_settings": 4,
  "depth": 2,
  "detection": 2,
  "pretraining_settings": 4,
  "inputs": 4,
  "labelled": 4,
  "byol": 4,
  "loss": 3,
  "classify": 3,
  "encoders": 4,
  "knn": 3,
  "logistic": 3,
  "data": 3,
  "augment": 2,
  "networks": 2,
  "objectives": 2,
  "schedules": 2,
  "optimizers": 2,
  "checkpoint": 3,
  "command_line": 3,
  "records": 2,
  "pace": 3,
  "health": 3,
  "replicas": 2,
  "sharding": 3,
  "stopping": 2,
  "peers": 2,
  "parallel": 1,
  "exits": 1,
  "manifest": 1,
  "storage": 0,
  "shipped": 0,
  "step_folder": 2,
  "origin": 1,
  "metrics": 1,
  "events": 1,
  "intact": 1,
  "schema": 2,
  "schema_dense": 1,
  "schema_evaluation": 1,
  "rules": 0,
  "types": 0,  # Below everything that names a Batch.
}

WITHOUT_SLOW_PACKAGES = (
  "main",
  "pretrain",
  "evaluate",
  "encoders",
  "classify",
  "logistic",
  "loop",
  "byol",
  "loss",
  "knn",
  "objectives",
  "schedules",
  "optimizers",
  "metrics",
  "networks.network",
  "networks.resnet",
  "networks.mlp",
  "augment.photometry",
  "augment.crops",
  "augment.views",
  "data.sources",
  "data.memory",
  "data.folder",
  "data.photo_patches",
  "data.selection",
  "data.splits",
  "data.identity",
  "data.benchmark_sets",
  "data.opening",
  "data.problems",
  "labelled",
  "extract",
  "preflight",
)


def _imports(text):
  """Dotted names that a module imports, wherever in it."""
  found = set()
  for node in ast.walk(ast.parse(text)):
    if isinstance(node, ast.Import):
      found |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      parent = "." * node.level + (node.module or "")
      found |= {f"{parent}.{alias.name}" for alias in node.names}
  return found


def _module(path):
  return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def _ours(path):
  """Modules of the package that a file imports, such as data.sources."""
  known = {_module(other) for other in MODULES}
  names = {
    name.removeprefix("byol_jax.")
    for name in _imports(path.read_text(encoding="utf-8"))
    if name.startswith("byol_jax.")
  }
  # `from byol_jax.types import Batch` names the module and what is in it.
  return {
    name if name in known else name.rpartition(".")[0] or name for name in names
  }


def _unit(module):
  return module.partition(".")[0]


def _ids(path):
  return str(path.relative_to(ROOT))


def test_imports_are_seen_in_every_form():
  text = """
import a.b
from c import d, e
from . import f
def late():
  import g as h
"""
  assert _imports(text) == {"a.b", "c.d", "c.e", "..f", "g"}


def test_every_module_has_a_layer():
  assert MODULES
  assert {_unit(_module(path)) for path in MODULES} <= set(LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=_ids)
def test_module_imports_only_lower_layers(path):
  unit = _unit(_module(path))
  others = {_unit(name) for name in _ours(path)} - {unit}
  assert {name for name in others if LAYERS[name] >= LAYERS[unit]} == set()


@pytest.mark.parametrize("path", MODULES, ids=_ids)
def test_imports_are_absolute(path):
  imports = _imports(path.read_text(encoding="utf-8"))
  assert {name for name in imports if name.startswith(".")} == set()


def test_modules_import_each_other_without_a_circle():
  graph = {_module(path): _ours(path) for path in MODULES}
  assert sum(len(imported) for imported in graph.values()) > 0
  assert len(list(graphlib.TopologicalSorter(graph).static_order())) >= len(
    graph
  )


@pytest.mark.parametrize("path", MODULES, ids=_ids)
def test_only_data_imports_tensorflow(path):
  imports = _imports(path.read_text(encoding="utf-8"))
  found = {name for name in imports if name.startswith("tensorflow")}
  assert not found or _unit(_module(path)) == "data"


@pytest.mark.parametrize("path", CONFIGS, ids=_ids)
def test_configs_import_only_ml_collections(path):
  assert _imports(path.read_text(encoding="utf-8")) == {"ml_collections"}


@pytest.mark.parametrize("package", ["tensorflow", "matplotlib"])
def test_a_slow_package_is_not_imported_before_it_is_needed(package):
  modules = ", ".join(f"byol_jax.{name}" for name in WITHOUT_SLOW_PACKAGES)
  program = f"import sys, {modules}; print({package!r} in sys.modules)"
  done = subprocess.run(
    [sys.executable, "-c", program],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  assert (done.stdout, done.stderr) == ("False\n", "")
