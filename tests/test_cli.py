import importlib.util
import pathlib
import runpy
import signal
import subprocess
import sys

import pytest

from byol_jax import cli

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _signals():
  """The tests end as before."""
  before = {x: signal.getsignal(x) for x in (signal.SIGINT, signal.SIGPIPE)}
  yield
  for number, handler in before.items():
    signal.signal(number, handler)


@pytest.fixture(name="call")
def _call(monkeypatch):
  """Runs `byol` and returns which modules ran with which arguments."""
  ran = []

  def run_module(module, run_name, alter_sys):
    assert (run_name, alter_sys) == ("__main__", True)
    ran.append((module, *sys.argv[1:]))

  def call(*arguments):
    monkeypatch.setattr(sys, "argv", ["byol", *arguments])
    monkeypatch.setattr(runpy, "run_module", run_module)
    cli.main()
    return ran

  return call


def _refused(capsys, call, *arguments):
  with pytest.raises(SystemExit) as error:
    call(*arguments)
  assert error.value.code == 2
  (line,) = capsys.readouterr().err.splitlines()
  return line


@pytest.mark.parametrize(
  ("word", "started"),
  [
    ("train", ("byol_jax.main", "--job=train", "--a", "b")),
    ("evaluate", ("byol_jax.main", "--job=evaluate", "--a", "b")),
    ("preview", ("byol_jax.preview", "--a", "b")),
    ("extract", ("byol_jax.extract", "--a", "b")),
    ("convert", ("byol_jax.convert", "--a", "b")),
    ("inspect", ("byol_jax.inspect", "--a", "b")),
    ("preflight", ("byol_jax.preflight", "--a", "b")),
  ],
)
def test_a_word_starts_its_module(call, word, started):
  assert call(word, "--a", "b") == [started]


def test_every_word_has_a_module_that_runs():
  for word in ("train", "preview", "evaluate", "extract", "preflight"):
    module = cli._COMMANDS[word][0]
    file = pathlib.Path(importlib.util.find_spec(module).origin)
    assert 'if __name__ == "__main__":' in file.read_text(encoding="utf-8")


def test_an_experiment_is_started_by_its_name(call):
  ((module, *rest),) = call("experiment", "table5b", "--scale=desk")
  assert module.endswith("experiments.table5b")
  assert importlib.util.find_spec(module) is not None
  assert rest == ["--scale=desk"]


def test_experiments_are_those_that_can_be_run():
  assert {"table5b", "figure3", "report"} <= set(cli.experiments())
  assert not {"runner", "plan", "__init__"} & set(cli.experiments())


@pytest.mark.parametrize("arguments", [("trian",), ("",), (), ("--version2",)])
def test_an_unknown_word_is_one_line_that_names_the_words(
  capsys, call, arguments
):
  line = _refused(capsys, call, *arguments)
  assert line.startswith(
    "byol_jax: The first argument must be one of train, preview, evaluate,"
  )
  assert all(repr(word) in line for word in arguments if word)


def test_an_unknown_experiment_is_one_line_that_names_them(capsys, call):
  line = _refused(capsys, call, "experiment", "../table1")
  assert "must be one of bn_ablation, figure1" in line
  assert line.endswith("not '../table1'.")


def test_help_names_every_word(capsys, call):
  assert call("--help") == []
  printed = capsys.readouterr().out
  words = [*cli._COMMANDS, "experiment"]
  assert [word for word in words if f"byol {word} " not in printed] == []


def test_version_is_that_of_the_installation(capsys, call, monkeypatch):
  monkeypatch.setattr(cli.metadata, "version", lambda name: f"{name} 1.2")
  call("--version")
  assert capsys.readouterr().out == "byol-jax byol-jax 1.2\n"


def test_nothing_heavy_is_imported_before_the_word_is_known():
  program = (
    "import sys; import byol_jax.cli;"
    "print({x for x in ('jax', 'numpy', 'absl') if x in sys.modules})"
  )
  done = subprocess.run(
    [sys.executable, "-c", program],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  assert (done.stdout, done.stderr) == ("set()\n", "")


def test_ctrl_c_has_no_traceback_before_the_command_begins(call):
  call("train")
  assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
