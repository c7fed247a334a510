import pathlib

import pytest
from absl import flags

from byol_jax import command_line, main, shipped

ROOT = pathlib.Path(__file__).parent.parent
OURS = str(ROOT / "configs" / "cpu.py")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)


def _own(text=""):
  path = pathlib.Path("configs/cpu.py")
  path.parent.mkdir()
  path.write_text(text)


def test_a_config_is_found_in_the_package():
  assert shipped.find_config("configs/cpu.py") == OURS


def test_a_config_of_the_working_directory_comes_first():
  _own()
  assert shipped.find_config("configs/cpu.py") == "configs/cpu.py"


def test_files_of_a_wheel_lie_in_the_package(tmp_path, monkeypatch):
  (tmp_path / "byol_jax" / "configs").mkdir(parents=True)
  monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "byol_jax")
  assert shipped.root() == tmp_path / "byol_jax"


def test_a_missing_config_names_both_places_and_what_there_is():
  with pytest.raises(ValueError, match=r"working directory nor in the package"):
    shipped.find_config("configs/nope.py")
  with pytest.raises(ValueError, match=r" configs/cpu\.py, .*eval/knn\.py, "):
    shipped.find_config("configs/nope.py")


@pytest.mark.parametrize(
  "path",
  ["cpu.py", "configs", "configs/../setup.py", "/configs/cpu.py", "a\0b"],
)
def test_only_what_is_below_configs_is_looked_for_in_the_package(path):
  with pytest.raises(ValueError, match=r"^is not a file\.$"):
    shipped.find_config(path)


def test_name_is_what_finds_the_config():
  assert shipped.name(OURS) == "configs/cpu.py"
  assert shipped.name("/elsewhere/cpu.py") == "/elsewhere/cpu.py"


@pytest.mark.parametrize(
  ("given", "found"),
  [
    (["--config=configs/cpu.py"], [f"--config={OURS}"]),
    (["-config=configs/cpu.py"], [f"-config={OURS}"]),
    (["--config", "configs/cpu.py"], ["--config", OURS]),
    (["--compare=configs/cpu.py:a:b"], [f"--compare={OURS}:a:b"]),
    (["--config.encoder=configs/cpu.py"], ["--config.encoder=configs/cpu.py"]),
    (["--config", "--dry_run"], ["--config", "--dry_run"]),
    (["configs/cpu.py"], ["configs/cpu.py"]),
  ],
)
def test_command_line_names_configs_in_full(given, found):
  assert command_line.find_files(["main", *given]) == ["main", *found]


def test_flags_take_a_config_of_the_package_with_its_preset_and_changes():
  values = flags.FlagValues()
  command = ["main", "--config=configs/imagenet.py:300", "--config.seed=5"]
  main.parse_flags(command, values)
  config = values["config"].value
  assert (config.training.num_epochs, config.seed) == (300.0, 5)
  assert main.config_name(values["config"].config_filename) == "imagenet_300"


@pytest.mark.parametrize(
  ("job", "config", "other"),
  [
    ("train", "configs/eval/knn.py", "evaluate"),
    ("evaluate", "configs/cpu.py", "train"),
  ],
)
def test_a_config_of_the_other_kind_is_refused(capsys, job, config, other):
  values = flags.FlagValues()
  main.parse_flags(["main", f"--config={config}", f"--job={job}"], values)
  with pytest.raises(SystemExit) as error:
    main._prepare(values)
  assert error.value.code == 2
  sentence = f"byol_jax: --config={config} is for byol {other}.\n"
  assert capsys.readouterr().err == sentence
