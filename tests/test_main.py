import pathlib
import subprocess
import sys

import pytest
from absl import flags

from byol_jax import main

ROOT = pathlib.Path(__file__).parent.parent
CPU = "--config=configs/cpu.py"
NO_WARMUP = "--config.training.warmup_epochs=0"


@pytest.fixture(autouse=True)
def _in_root(monkeypatch):
  monkeypatch.chdir(ROOT)


def _parse(*arguments):
  values = flags.FlagValues()
  main.parse_flags(["main", *arguments], values)
  return values


def _complaint(capsys, *arguments):
  with pytest.raises(SystemExit) as error:
    _parse(*arguments)
  assert error.value.code == 2
  lines = capsys.readouterr().err.splitlines()
  assert len(lines) == 1
  return lines[0]


def test_parse_flags_overrides_settings_of_every_type():
  config = _parse(
    CPU,
    "--config.seed=3",
    "--config.training.num_epochs=2",
    "--config.data.labelled=False",
    "--config.data.train_path=my pictures",
    "--config.network.projector_hidden=(512,)",
    "--config.augment.view1.crop_area=(0.2,1.0)",
  )["config"].value
  assert (config.seed, config.training.num_epochs) == (3, 2.0)
  assert config.data.labelled is False
  assert config.data.train_path == "my pictures"
  assert config.network.projector_hidden == (512,)
  assert config.augment.view1.crop_area == (0.2, 1.0)


def test_parse_flags_locks_the_config(tmp_path):
  path = tmp_path / "config.py"
  path.write_text(
    "import ml_collections\n"
    "def get_config(): return ml_collections.ConfigDict({'seed': 1})",
    encoding="utf-8",
  )
  assert _parse(f"--config={path}")["config"].value.is_locked


def test_parse_flags_reads_a_preset():
  config = _parse("--config=configs/imagenet.py:300")["config"].value
  assert config.training.num_epochs == 300.0


WRONG = [
  ((), "--config is missing, for example --config=configs/cpu.py."),
  (("--config=",), "--config is missing, for example"),
  (("--config",), "Missing value for flag --config"),
  (("--config=no.py",), "--config=no.py is not a file."),
  (("--config=configs",), "--config=configs is not a file."),
  (
    ("--config=configs/imagenet.py:5",),
    "configs/imagenet.py has the presets 40, 100, 300, 1000, one_gpu, not '5'.",
  ),
  ((CPU, "--wrkdir=x"), "Unknown command line flag 'wrkdir'."),
  ((CPU, "x"), "'x' is not a flag; flags begin with --."),
  (
    (CPU, "--config.training.batchsize=8"),
    "The config has an unknown key training.batchsize; the closest key is "
    "training.batch_size.",
  ),
  (
    (CPU, "--config.training=8"),
    "The config has an unknown key training",
  ),
  (
    (CPU, "--config.seed=1.5"),
    "seed must be an integer from 0 up, not '1.5'.",
  ),
  (
    (CPU, "--config.data.labelled=maybe"),
    "data.labelled must be True or False, not 'maybe'.",
  ),
  (("--config.seed=1", CPU), "Found --config.seed=1 in argv before"),
  ((CPU, "--num_processes=two"), "flag --num_processes=two: invalid"),
  ((CPU, "--flagfile=no_such"), "ERROR:: Unable to open flagfile"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG)
def test_wrong_flag_is_one_line_and_code_2(capsys, arguments, sentence):
  assert _complaint(capsys, *arguments).startswith(f"byol_jax: {sentence}")


BROKEN = [
  (
    "def get_config(:",
    "The config fails with SyntaxError: invalid syntax (config.py,",
  ),
  (
    "import no_such_module",
    "The config fails with ModuleNotFoundError: No module",
  ),
  (
    "def get_config(): return no_such",
    "The config fails with NameError: name 'no_such' is",
  ),
  (
    "def get_config(): return 1 / 0",
    "The config fails with ZeroDivisionError: division by",
  ),
  ("def get_config(): return int('x')", "invalid literal for int()"),
  (
    "def get_config(): raise RuntimeError('broken')",
    "The config fails with RuntimeError: broken.",
  ),
  (
    "def get_config(): assert 0",
    "The config fails with AssertionError.",
  ),
  (
    "def get_config(): return get_config()",
    "The config fails with RecursionError: maximum recursion depth exceeded.",
  ),
  (
    "def get_config(): raise ValueError('one:\\ntwo: three')",
    "one: two: three",
  ),
  (
    "def get_config(): open('/no/such')",
    "Configuration is not available because of an earlier failure to load:"
    " [Errno 2] No such file",
  ),
  (
    "import sys\ndef get_config(): sys.exit('bye')",
    "The config ends the program: bye.",
  ),
  ("def get_config(): pass", "get_config() of --config="),
  (
    "import ml_collections as m\ndef get_config(): return m.ConfigDict("
    "{'seed': m.config_dict.required_placeholder(int)})",
    "The config fails with RequiredValueError",
  ),
  ("def get_config(): return {}[1]", "The config fails with KeyError: 1."),
  ("def get_config(): return 3", "get_config() of --config="),
]


@pytest.mark.parametrize(("text", "sentence"), BROKEN)
def test_broken_config_is_one_line_and_code_2(capsys, tmp_path, text, sentence):
  path = tmp_path / "config.py"
  path.write_text(text, encoding="utf-8")
  complaint = _complaint(capsys, f"--config={path}")
  assert complaint.startswith(f"byol_jax: {sentence}")


@pytest.mark.parametrize(
  ("config", "name"),
  [
    ("configs/cpu.py", "cpu"),
    ("configs/imagenet.py:300", "imagenet_300"),
    ("../elsewhere/mine.py", "mine"),
  ],
)
def test_runs_are_named_after_the_config(config, name):
  assert main.config_name(config) == name


@pytest.mark.parametrize(
  ("arguments", "sentence"),
  [
    (
      (CPU, "--config.training.batch_size=101"),
      "training.batch_size=101 cannot be divided by 2 devices x 1 "
      "micro-batches.",
    ),
    ((CPU, "--no_such"), "Unknown command line flag 'no_such'"),
    (
      (CPU, "--config.training.num_epochs=1e-3", NO_WARMUP),
      "training.num_epochs=0.001 of",
    ),
    ((CPU, "--config.training.batch_size=100000"), "the training set has"),
    ((CPU, "--process_id=0"), "coordinator_address, num_processes and"),
  ],
)
def test_program_refuses_with_one_line_and_code_2(arguments, sentence):
  done = subprocess.run(
    [sys.executable, "-m", "byol_jax.main", *arguments],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.stderr.startswith(f"byol_jax: {sentence}")
  assert len(done.stderr.splitlines()) == 1
  assert (done.returncode, done.stdout) == (2, "")


def test_dry_run_says_what_follows_and_begins_nothing(tmp_path):
  done = subprocess.run(
    [
      *(sys.executable, "-m", "byol_jax.main", CPU, "--dry_run"),
      f"--workdir={tmp_path / 'run'}",
    ],
    capture_output=True,
    text=True,
    check=False,
  )
  assert (done.returncode, done.stderr) == (0, "")
  assert "peak learning rate" in done.stdout
  assert not (tmp_path / "run").exists()
