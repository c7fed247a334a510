import re
import shutil
import subprocess

import jax
import pytest

from byol_jax import origin

needs_git = pytest.mark.skipif(not shutil.which("git"), reason="needs git")


def _git(folder, *arguments):
  identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
  done = subprocess.run(
    ["git", *identity, *arguments],
    cwd=folder,
    check=True,
    capture_output=True,
    text=True,
  )
  return done.stdout.strip()


@pytest.fixture(name="tracked")
def _tracked(tmp_path):
  """A file that a work tree tracks."""
  file = tmp_path / "a.py"
  file.write_text("first")
  _git(tmp_path, "init", "-q")
  _git(tmp_path, "add", "a.py")
  _git(tmp_path, "commit", "-q", "-m", "Add it")
  return file


def test_versions_name_packages_and_the_commit():
  versions = origin.versions()
  assert versions["jax"] == jax.__version__
  assert versions["python"].startswith("3.")
  assert re.fullmatch(r"([0-9a-f]{40}(\+changes)?)?", versions["commit"])
  assert "byol_jax" in versions


@needs_git
def test_commit_is_that_of_the_work_tree(tracked):
  head = _git(tracked.parent, "rev-parse", "HEAD")
  assert len(head) == 40
  assert origin.commit(tracked) == head
  (tracked.parent / "untracked").write_text("")
  assert origin.commit(tracked) == head


@needs_git
def test_commit_says_that_tracked_files_differ(tracked):
  head = _git(tracked.parent, "rev-parse", "HEAD")
  tracked.write_text("second")
  assert origin.commit(tracked) == f"{head}+changes"


@needs_git
def test_commit_is_not_that_of_a_tree_around_an_environment(tracked):
  installed = tracked.parent / "site-packages" / "b.py"
  installed.parent.mkdir()
  installed.write_text("")
  assert origin.commit(installed) == ""


@needs_git
def test_commit_heeds_no_variables_of_a_hook(tracked, monkeypatch, tmp_path):
  monkeypatch.setenv("GIT_DIR", str(tmp_path / "another"))
  assert len(origin.commit(tracked)) == 40


def test_commit_is_empty_outside_a_work_tree(tmp_path):
  (tmp_path / "a.py").write_text("")
  assert origin.commit(tmp_path / "a.py") == ""


def test_commit_is_empty_without_git(tmp_path, monkeypatch):
  (tmp_path / "a.py").write_text("")
  monkeypatch.setenv("PATH", "")
  assert origin.commit(tmp_path / "a.py") == ""
