"""The documentation site, as far as it can be checked without building it."""

import importlib.util
import pathlib
import re
import runpy
import shlex

import pytest
import yaml
from absl import flags

from byol_jax import cli, extract, inspect, main, preflight, preview, schema

ROOT = pathlib.Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
KEYS = sorted(set(schema.RULES).union(*schema.EVALUATION_RULES.values()))
PARSE = {
  "train": main.parse_flags,
  "evaluate": main.parse_flags,
  "preview": preview.parse_flags,
  "preflight": preflight.parse_flags,
  "extract": extract.parse_flags,
  "inspect": inspect.parse_flags,
}


def _commands(path):
  """Words and arguments of the command `byol` that a page gives in full."""
  text = re.sub(r"\\\n\s*", "", path.read_text(encoding="utf-8"))
  for line in re.findall(r"(?:^|`)byol +([a-z][^`\n]*)", text, re.MULTILINE):
    yield shlex.split(line, comments=True)


COMMANDS = [
  (path.name, *words)
  for path in (ROOT / "README.md", *PAGES)
  for words in _commands(path)
]


@pytest.fixture(name="settings", scope="module")
def _settings():
  """Cells of the page of settings, by key, of each kind of config."""
  markdown = runpy.run_path(str(DOCS / "settings.py"))["markdown"]()
  rows = re.findall(r"^\| `([\w.]+)` \| (.*) \|$", markdown, re.MULTILINE)
  return [(key, *re.split(r" \| ?", rest)) for key, rest in rows]


def _pages(nav):
  for entry in nav:
    for target in entry.values():
      yield from [target] if isinstance(target, str) else _pages(target)


def test_every_setting_is_on_the_page(settings):
  assert len(KEYS) > 100
  assert {key for key, *_ in settings} == set(KEYS)
  kinds = (schema.RULES, *schema.EVALUATION_RULES.values())
  assert len(settings) == sum(map(len, kinds))


def test_every_setting_says_what_it_is(settings):
  assert [key for key, *_, comment in settings if not comment.strip()] == []


def test_settings_have_their_rule_and_value(settings):
  shown = {(key, value): allowed for key, allowed, value, _ in settings}
  allowed = schema.RULES["training.compute_dtype"].allowed
  assert shown["training.compute_dtype", "`'bfloat16'`"] == allowed
  assert ("augment.view1.crop_ratio", "`(0.75, 1.33333)`") in shown


def test_every_page_is_in_the_menu_and_exists():
  listed = set(_pages(SITE["nav"]))
  assert {path.name for path in PAGES} == {
    name for name in listed if not name.startswith("files/")
  }


def test_commands_are_found():
  assert {"train", "preview", "extract", "experiment"} <= {
    words[1] for words in COMMANDS
  }


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_command_is_understood(command, monkeypatch):
  monkeypatch.chdir(ROOT)
  _, word, *arguments = command
  assert word in {*cli._COMMANDS, "experiment"}
  if word == "experiment":
    assert arguments[0] in cli.experiments()
  is_whole = arguments and "..." not in " ".join(arguments)
  if word in PARSE and is_whole and "--help" not in arguments:
    PARSE[word]([word, *arguments], flags.FlagValues())


@pytest.mark.parametrize(
  "name",
  re.findall(r"^::: ([\w.]+)$", (DOCS / "api.md").read_text(), re.MULTILINE),
)
def test_documented_module_exists(name):
  if name != "byol_jax.load_encoder":
    assert importlib.util.find_spec(name) is not None


def test_citation_has_the_version_of_the_package():
  text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
  citation = yaml.safe_load(text)
  (version,) = re.findall(r'version="(.*)"', (ROOT / "setup.py").read_text())
  assert citation["version"] == version
  assert len(citation["preferred-citation"]["authors"]) == 14
