"""What is pickled may run any program when it is read: nothing of ours is."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PROGRAMS = sorted(
  path
  for folder in ("byol_jax", "experiments", "benchmarks", "configs")
  for path in (ROOT / folder).rglob("*.py")
)
# What writes or reads pickles.
_FORBIDDEN = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def _pickles(text):
  """Names in a program that have to do with pickling."""
  found = set()
  for node in ast.walk(ast.parse(text)):
    if isinstance(node, ast.Import):
      found |= {alias.name.partition(".")[0] for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      found.add((node.module or "").partition(".")[0])
    elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
      found.add("pickle")
  return found & _FORBIDDEN


@pytest.mark.parametrize(
  "text",
  [
    "import pickle",
    "def late():\n  from joblib import dump",
    "np.load(path, allow_pickle=True)",
  ],
)
def test_pickling_is_seen_in_every_form(text):
  assert _pickles(text)


@pytest.mark.parametrize(
  "path", PROGRAMS, ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_program_pickles(path):
  assert _pickles(path.read_text(encoding="utf-8")) == set()
