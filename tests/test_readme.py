"""What README and docs say, as far as a program can check it."""

import importlib
import importlib.util
import itertools
import pathlib
import re
import shlex

import pytest
from absl import flags

from byol_jax import extract, inspect, main, preflight, preview, schema
from experiments import processes, runner

ROOT = pathlib.Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
# Their docstrings hold commands, too.
CONFIGS = sorted((ROOT / "configs").rglob("*.py"))
PARSE = {
  "main": main.parse_flags,
  "preview": preview.parse_flags,
  "preflight": preflight.parse_flags,
  "extract": extract.parse_flags,
  "inspect": inspect.parse_flags,
}


def _text(path):
  """A file with its continued lines joined."""
  text = path.read_text(encoding="utf-8")
  return re.sub(r"\\\n\s*", "", text)


def _commands(path):
  """Name and arguments of each command of ours that a file gives in full."""
  pattern = r'python -m byol_jax\.(\w+)((?: +--[^\s"`#]+)+)'
  for name, arguments in re.findall(pattern, _text(path)):
    if "..." not in arguments:
      # A loop's variable; any number will do.
      yield name, shlex.split(re.sub(r"\$\w+", "1", arguments))


COMMANDS = [
  (path.name, name, arguments)
  for path in (*PAGES, *CONFIGS)
  for name, arguments in _commands(path)
]


def _ids(path):
  return str(path.relative_to(ROOT))


@pytest.fixture(autouse=True)
def _in_root(monkeypatch):
  monkeypatch.chdir(ROOT)


def test_readme_is_short_and_begins_with_a_command():
  lines = README.read_text(encoding="utf-8").splitlines()
  assert len(lines) < 120
  (first,) = itertools.islice(
    (number for number, line in enumerate(lines, 1) if "byol_jax.main" in line),
    1,
  )
  assert first < 30


@pytest.mark.parametrize(
  "command",
  [
    "python -m venv .venv && . .venv/bin/activate && pip install -e . && "
    "python -m byol_jax.main --config=configs/cpu.py",
    "python -m venv .venv && . .venv/bin/activate && "
    'pip install -e ".[test]" && pytest',
  ],
)
def test_readme_sets_up_with_one_line(command):
  lines = README.read_text(encoding="utf-8").splitlines()
  mark = command.rpartition("&& ")[2]
  assert next(line for line in lines if f"&& {mark}" in line) == command


def test_commands_are_found():
  assert {name for _, name, _ in COMMANDS} == set(PARSE)
  assert len(COMMANDS) >= 20
  assert any(len(arguments) >= 5 for _, _, arguments in COMMANDS)


@pytest.mark.parametrize(("page", "name", "arguments"), COMMANDS)
def test_command_is_understood(page, name, arguments):
  values = flags.FlagValues()
  PARSE[name]([name, *arguments], values)
  if name not in ("extract", "inspect"):
    config = values["config"].value
    assert set(schema.of(config.get("protocol"))) > {"seed"}


@pytest.mark.parametrize("path", PAGES, ids=_ids)
def test_settings_exist(path):
  text = _text(path)
  keys = set(schema.RULES).union(*schema.EVALUATION_RULES.values())
  sections = "|".join({key.partition(".")[0] for key in keys})
  named = re.findall(r"--config\.([a-z_0-9.]*[a-z0-9])=", text)
  named += re.findall(rf"`((?:{sections})\.[a-z_0-9.]+)[=`]", text)
  # Some sections and files share their names: knn.neighbours, knn.py.
  for key in {key for key in named if not key.endswith(".py")}:
    assert any(f"{known}.".startswith(f"{key}.") for known in keys), key


@pytest.mark.parametrize("path", PAGES, ids=_ids)
def test_configs_and_presets_exist(path):
  for name, preset in re.findall(r"(\w+)\.py:(\w+)", _text(path)):
    (file,) = (ROOT / "configs").rglob(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.get_config(preset).is_locked


@pytest.mark.parametrize("path", PAGES, ids=_ids)
def test_files_and_links_exist(path):
  text = _text(path)
  folders = "byol_jax|configs|docs|tests|benchmarks|experiments"
  for name in re.findall(rf"`((?:{folders})/[\w./]*?)(?::\w+)?`", text):
    assert (ROOT / name).exists(), name
  for target in re.findall(r"\]\(([^)#]+)\)", text):
    if "://" not in target:
      assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=_ids)
def test_no_path_of_some_machine(path):
  found = re.findall(
    r"(?<![\w.])/(?:work|tmp|root|home|mnt|Users)\b", _text(path)
  )
  assert found == []


EXPERIMENTS = [
  (path.name, *shlex.split(command, comments=True)[2:])
  for path in PAGES
  for command in re.findall(r"python -m experiments\.\w+ +--.*", _text(path))
]


@pytest.mark.parametrize("command", EXPERIMENTS, ids=" ".join)
def test_commands_of_experiments_are_understood(command, capsys, tmp_path):
  _, module, *arguments = command
  if module == "experiments.report":
    assert [x for x in arguments if x.startswith("--output=")]
    return
  declared = importlib.import_module(module).EXPERIMENTS
  # Where the data lies is the reader's affair.
  places = ("--data=", "--pictures=")
  wanted = [x for x in arguments if not x.startswith(places)]
  for part in ("train", "test"):
    (tmp_path / "pictures" / part).mkdir(parents=True)
  wanted.append(f"--pictures={tmp_path / 'pictures'}")
  wanted += ["--print", f"--results={tmp_path}"]
  assert not runner.run(declared, wanted, processes.Children())
  assert "python -m byol_jax.main" in capsys.readouterr().out
