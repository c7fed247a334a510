"""What results depend on: versions of packages, and the commit of the code."""

import functools
import os
import pathlib
import platform
import subprocess
from importlib import metadata

_PACKAGES = ("jax", "jaxlib", "dm-haiku", "optax", "numpy", "orbax-checkpoint")
_FILE = pathlib.Path(__file__)
# A file system that hangs must not hang the run.
_MAX_SECS = 10.0


@functools.cache
def versions() -> dict[str, str]:
  """Versions of Python, of packages and of this one, by name.

  Returns:
    With them "byol_jax", empty where it is not installed, and "commit", that of
    the code's git work tree, with "+changes" where tracked files differ from
    it; empty outside a work tree. As they were at the first call.
  """
  found = {package: metadata.version(package) for package in _PACKAGES}
  return {
    "python": platform.python_version(),
    **found,
    "byol_jax": _own_version(),
    "commit": commit(_FILE),
  }


def commit(file: pathlib.Path) -> str:
  """The commit of the git work tree that tracks a file.

  Args:
    file: an existing file.

  Returns:
    40 hexadecimal digits, and "+changes" where tracked files differ; empty
    where no work tree tracks it, or there is no git.
  """
  # A virtual environment inside another project's tree is not that project.
  if not _git(file.parent, "ls-files", "--error-unmatch", file.name):
    return ""
  head = _git(file.parent, "rev-parse", "HEAD")
  changed = _git(
    file.parent, "status", "--porcelain", "--untracked-files=no", "--no-renames"
  )
  return f"{head}+changes" if changed else head


def _own_version() -> str:
  try:
    return metadata.version("byol_jax")
  except metadata.PackageNotFoundError:
    return ""


def _git(folder: pathlib.Path, *arguments: str) -> str:
  """What git answers, nothing where it fails."""
  # A hook's variables would name that hook's repository.
  environment = {k: v for k, v in os.environ.items() if k[:4] != "GIT_"}
  try:
    done = subprocess.run(
      ["git", "--no-optional-locks", *arguments],
      cwd=folder,
      env=environment,
      capture_output=True,
      text=True,
      timeout=_MAX_SECS,
      check=True,
    )
  except (OSError, subprocess.SubprocessError):
    return ""
  return done.stdout.strip()
