"""Weights & Biases behind the record, by a module that stands for its own."""

import subprocess
import sys
import threading
import types

import pytest
import tiny
from absl import flags

from byol_jax import main, records, weights_and_biases


class Run:
  def __init__(self, fake, step):
    self.fake, self.step = fake, step

  def log(self, metrics, step):
    if self.fake.fails_at == step:
      raise RuntimeError("the network\nis gone")
    self.fake.gate.wait(10)
    self.fake.logged.append((step, metrics))

  def finish(self):
    self.fake.finished += 1


class Fake(types.ModuleType):
  """What is used of the package; `known` are the steps that W&B has."""

  def __init__(self):
    super().__init__("wandb")
    self.began, self.logged, self.finished, self.known = [], [], 0, 0
    self.fails_at, self.is_logged_in, self.gate = None, True, threading.Event()
    self.gate.set()
    self.Settings, self.Error = dict, type("Error", (Exception,), {})

  def init(self, **settings):
    self.began.append(settings)
    return Run(self, self.known)

  def login(self, prompt, verify):
    assert not prompt
    assert not verify
    return self.is_logged_in


@pytest.fixture
def fake(monkeypatch):
  made = Fake()
  monkeypatch.setitem(sys.modules, "wandb", made)
  monkeypatch.delenv("WANDB_MODE", raising=False)
  return made


def _maker(workdir):
  return weights_and_biases.maker("birds", str(workdir), tiny.config())


def _record(workdir, first_step, steps):
  with records.Recorder(
    str(workdir), first_step, mirror=_maker(workdir)
  ) as recorder:
    for step in steps:
      recorder.write(step, {"loss": step / 4})


def test_the_same_names_and_steps_are_sent(fake, tmp_path):
  _record(tmp_path, 0, [5, 10])
  assert fake.logged == [(5, {"loss": 1.25}), (10, {"loss": 2.5})]
  assert fake.finished == 1
  (settings,) = fake.began
  assert settings["project"] == "birds"
  assert settings["name"] == tmp_path.name
  assert settings["dir"] == str(tmp_path)
  assert settings["config"]["training"]["batch_size"] == tiny.BATCH_SIZE


def test_a_restart_goes_on_as_the_same_run_without_repeating(fake, tmp_path):
  _record(tmp_path, 0, [5, 10, 15])
  fake.logged.clear()
  fake.known = 16
  _record(tmp_path, 10, [15, 20])
  first, second = fake.began
  assert first["id"] == second["id"] != ""
  assert second["resume"] == "allow"
  assert [step for step, _ in fake.logged] == [20]


def test_another_project_or_workdir_is_another_run(fake, tmp_path):
  _record(tmp_path / "a", 0, [5])
  _record(tmp_path / "b", 0, [5])
  maker = weights_and_biases.maker("cats", str(tmp_path / "a"), tiny.config())
  maker().close()
  assert len({settings["id"] for settings in fake.began}) == 3


def test_a_failure_is_said_once_and_the_record_goes_on(fake, tmp_path, capsys):
  fake.fails_at = 10
  _record(tmp_path, 0, [5, 10, 15, 20])
  assert [line["step"] for line in tiny.metrics(tmp_path)] == [5, 10, 15, 20]
  assert [step for step, _ in fake.logged][:1] == [5]
  assert capsys.readouterr().err == (
    "Weights & Biases gets no numbers any more (the network is gone); the"
    " training goes on.\n"
  )


def test_a_beginning_that_fails_stops_nothing(fake, tmp_path, capsys):
  fake.init = None
  _record(tmp_path, 0, [5, 10])
  assert [line["step"] for line in tiny.metrics(tmp_path)] == [5, 10]
  assert "gets no numbers any more" in capsys.readouterr().err


def test_a_network_that_hangs_delays_no_step(
  fake, tmp_path, capsys, monkeypatch
):
  monkeypatch.setattr(weights_and_biases, "_PATIENCE_SECS", 0.05)
  fake.gate.clear()
  _record(tmp_path, 0, [5, 10])
  assert [line["step"] for line in tiny.metrics(tmp_path)] == [5, 10]
  assert "is too slow; 'wandb sync'" in capsys.readouterr().err
  fake.gate.set()


_HANGS = """
import sys, time, types
import ml_collections
from byol_jax import weights_and_biases
fake = types.ModuleType("wandb")
fake.Settings, fake.init = dict, lambda **settings: time.sleep(600)
sys.modules["wandb"] = fake
weights_and_biases._PATIENCE_SECS = 0.05
config = ml_collections.ConfigDict()
weights_and_biases.maker("birds", sys.argv[1], config)().close()
"""


def test_a_network_that_hangs_does_not_keep_the_program(tmp_path):
  done = subprocess.run(
    [sys.executable, "-c", _HANGS, str(tmp_path)],
    cwd=tiny.ROOT,
    capture_output=True,
    text=True,
    timeout=60,
    check=True,
  )
  assert done.stderr.startswith("Weights & Biases is too slow;")


def test_other_hosts_send_nothing(fake, tmp_path):
  with records.Recorder(
    str(tmp_path), 0, active=False, mirror=_maker(tmp_path)
  ) as recorder:
    recorder.write(5, {"loss": 1.0})
  assert fake.began == []


def test_no_project_is_no_mirror():
  assert weights_and_biases.maker("", "x", tiny.config()) is None


@pytest.mark.parametrize("project", ["a/b", "a b", "x" * 129, "50%"])
def test_a_name_that_is_none_is_refused(fake, project):
  with pytest.raises(ValueError, match="is no name of a project"):
    weights_and_biases.check(project)


def test_a_missing_package_is_said(monkeypatch):
  monkeypatch.setitem(sys.modules, "wandb", None)
  with pytest.raises(ValueError, match=r"pip install 'byol-jax\[wandb\]'"):
    weights_and_biases.check("birds")


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_a_login_is_needed_online_only(fake, monkeypatch, mode):
  weights_and_biases.check("birds")
  fake.is_logged_in = False
  monkeypatch.setenv("WANDB_MODE", mode)
  if mode == "offline":
    weights_and_biases.check("birds")
    return
  with pytest.raises(ValueError, match="needs a login: run 'wandb login'"):
    weights_and_biases.check("birds")


@pytest.mark.parametrize("kind", [ValueError, None])
def test_what_the_package_refuses_is_one_sentence(fake, kind):
  def login(prompt, verify):
    raise (kind or fake.Error)("WANDB_API_KEY invalid:\n5 characters")

  fake.login = login
  with pytest.raises(ValueError, match="used: WANDB_API_KEY invalid: 5 char"):
    weights_and_biases.check("birds")


@pytest.mark.parametrize(
  ("config", "sentence"),
  [
    ("configs/cpu.py", "byol_jax: --wandb=birds needs a login"),
    ("configs/cpu.py --dry_run", "byol_jax: --wandb=birds needs a login"),
    (
      "configs/eval/knn.py --config.encoder=random",
      "byol_jax: --wandb is for configs that pretrain.",
    ),
  ],
)
def test_the_command_refuses_with_code_2(
  fake, monkeypatch, capsys, config, sentence
):
  fake.is_logged_in = False
  monkeypatch.chdir(tiny.ROOT)
  values = flags.FlagValues()
  arguments = ["main", *f"--config={config} --wandb=birds".split()]
  main.parse_flags(arguments, values)
  with pytest.raises(SystemExit) as error:
    main._prepare(values)
  assert error.value.code == 2
  assert capsys.readouterr().err.startswith(sentence)
