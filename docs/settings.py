"""Writes down every setting, from the configs' comments and the schema."""

import ast
import io
import pathlib
import runpy
import tokenize
from collections.abc import Iterator, Mapping
from typing import Any

from byol_jax import rules, schema

CONFIGS = pathlib.Path(__file__).parent.parent / "configs"
# The file whose values and comments are shown, of each kind.
_PRETRAINING = "imagenet"
# What is said for a file that says nothing of a key.
_LIKE = (_PRETRAINING, "eval/linear")
_PROTOCOLS = {
  "knn": "knn",
  "classify": "linear",
  "logistic": "logistic",
  "segmentation": "segmentation",
  "detection": "detection",
  "depth": "depth",
}
# Functions of the files that fill in a section, by their variable.
_SECTIONS = {
  "config": ("",),
  "view": ("augment.view1.", "augment.view2.", "augment.view."),
  "network": ("network.",),
  "detection": ("detection.",),
  "depth": ("depth.",),
}


def markdown() -> str:
  """All settings as tables, a section each, and what each file says."""
  parts = ["## Pretraining", *_tables(schema.RULES, _PRETRAINING)]
  for protocol, name in _PROTOCOLS.items():
    parts += ["", f"## Evaluation: {protocol}"]
    parts += _tables(schema.EVALUATION_RULES[protocol], f"eval/{name}")
  parts += ["", "## What each file says"]
  for name in names():
    text = _text(name).split('"""')[1].rstrip()
    parts += ["", f"### configs/{name}.py", "", "```text", text, "```"]
  return "\n".join(parts)


def names() -> list[str]:
  """All configs below configs/, without .py; those that pretrain first."""
  paths = [*CONFIGS.glob("[!_]*.py"), *CONFIGS.glob("*/[!_]*.py")]
  return [
    str(path.relative_to(CONFIGS).with_suffix(""))
    for path in sorted(paths, key=lambda x: (len(x.parts), x))
  ]


def comments(name: str) -> dict[str, str]:
  """What a config file says of its keys.

  Args:
    name: below configs/, without .py.

  Returns:
    By key, the comments above its assignment and within.
  """
  text = _text(name)
  said = {
    token.start[0]: token.string.lstrip("# ")
    for token in tokenize.generate_tokens(io.StringIO(text).readline)
    if token.type == tokenize.COMMENT
  }
  lines, found = text.splitlines(), {}
  for node in ast.walk(ast.parse(text)):
    if isinstance(node, ast.Assign):
      variable, _, key = ast.unparse(node.targets[0]).partition(".")
      first = node.lineno
      while lines[first - 2].lstrip().startswith("#"):
        first -= 1
      parts = [
        said[at] for at in range(first, node.end_lineno + 1) if at in said
      ]
      for prefix in _SECTIONS.get(variable, ()) if parts else ():
        found[prefix + key] = " ".join(parts)
  return found


def _tables(known: Mapping[str, rules.Rule], name: str) -> Iterator[str]:
  """A table a section, with the values of one file."""
  get_config = runpy.run_path(str(CONFIGS / f"{name}.py"))["get_config"]
  values = dict(rules.flatten(get_config()))
  said = {}
  for other in (*_LIKE, name):  # The last that says something counts.
    said |= comments(other)
  section = None
  for key in sorted(known, key=lambda key: key.rpartition(".")[0]):
    if key.rpartition(".")[0] != section:
      section = key.rpartition(".")[0]
      yield from ("", f"### {section or 'At the top'}", "")
      yield f"| key | must be | `{pathlib.Path(name).name}.py` | |"
      yield "|---|---|---|---|"
    value, comment = _value(values[key]), _cell(said.get(key, ""))
    yield f"| `{key}` | {_cell(known[key].allowed)} | {value} | {comment} |"


def _value(value: Any) -> str:
  """As a config has it, with the digits that matter."""
  if isinstance(value, tuple):
    parts = [_value(part).strip("`") for part in value]
    comma = "," * (len(parts) == 1)
    return f"`({', '.join(parts)}{comma})`"
  if isinstance(value, float):
    return f"`{value:.6g}`"
  return f"`{value!r}`"


def _cell(text: Any) -> str:
  return str(text).replace("|", r"\|").replace("<", "&lt;")


def _text(name: str) -> str:
  return (CONFIGS / f"{name}.py").read_text(encoding="utf-8")
