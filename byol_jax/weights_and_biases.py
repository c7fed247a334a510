"""Sends what a run records to Weights & Biases as well, if somebody asks.

Its client works in a thread of its own: what it raises, and the network it may
have to wait for, never stops a training.
"""

import contextlib
import json
import os
import queue
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any

import ml_collections
from etils import epath

from byol_jax import intact, records

# In a workdir: the W&B run that a restart goes on with.
FILE = "wandb.json"
# As W&B has it.
_NAME = re.compile(r"[^/\\#?%:\s]{1,128}")
_WITHOUT_LOGIN = ("offline", "disabled", "dryrun")
# For what is not sent yet when a run ends.
_PATIENCE_SECS = 120.0


def check(project: str) -> None:
  """Refuses what cannot work, before a run begins.

  Args:
    project: its name.

  Raises:
    ValueError: the name is none, the package is missing, nobody is logged in,
      or W&B refuses its own settings, such as a key that is none.
  """
  if not _NAME.fullmatch(project):
    raise ValueError(
      f"--wandb={project} is no name of a project: up to 128 letters, none of"
      " them a space or one of /\\#?%:."
    )
  try:
    import wandb
  except ImportError as error:
    raise ValueError(
      f"--wandb={project} needs the package wandb ({error}): pip install"
      " 'byol-jax[wandb]'."
    ) from error
  mode = os.environ.get("WANDB_MODE", "online")
  if mode in _WITHOUT_LOGIN:
    return
  try:
    logged_in = wandb.login(prompt=False, verify=False)
  except (wandb.Error, ValueError) as error:  # The latter of other settings.
    reason = " ".join(str(error).split())
    raise ValueError(f"--wandb={project} cannot be used: {reason}") from error
  if not logged_in:
    raise ValueError(
      f"--wandb={project} needs a login: run 'wandb login', set"
      " WANDB_API_KEY, or set WANDB_MODE=offline."
    )


def maker(
  project: str, workdir: str, config: ml_collections.ConfigDict
) -> Callable[[], "Mirror"] | None:
  """What begins a mirror of a run, once its record is open.

  Args:
    project: its name, checked; None is made of an empty one.
    workdir: of the run.
    config: what W&B shows as the run's settings.
  """
  if not project:
    return None
  settings = json.loads(config.to_json_best_effort())
  return lambda: Mirror(project, workdir, settings)


class Mirror:
  """Repeats a run's numbers there, under the same names and steps.

  A run that is killed and started again goes on as the same W&B run; steps that
  W&B has already are not sent again.
  """

  def __init__(self, project: str, workdir: str, config: Mapping[str, Any]):
    """Begins, without waiting for it.

    Args:
      project: its name, checked.
      workdir: of the run.
      config: what W&B shows as the run's settings.
    """
    self._project, self._workdir = project, workdir
    self._jobs, self._run = queue.SimpleQueue(), None
    self._error, self._failed = None, False
    # A daemon, unlike a pool's: Python would wait for one that hangs, for ever.
    self._thread = threading.Thread(target=self._work, daemon=True)
    self._do(lambda: self._begin(dict(config)))
    self._thread.start()

  def write(self, step: int, metrics: Mapping[str, float]) -> None:
    """Sends numbers; says so once if that fails, and leaves it then.

    Args:
      step: number of updates behind the numbers.
      metrics: names and Python numbers.
    """
    self._do(lambda: self._log(step, dict(metrics)))

  def close(self) -> None:
    """Waits for what is not sent yet, two minutes at most.

    Its package may wait a while by itself when Python ends: 90 seconds for a
    server that accepts and never answers.
    """
    self._do(lambda: self._run.finish())
    self._jobs.put(None)
    self._thread.join(_PATIENCE_SECS)
    if self._thread.is_alive():
      records.say(
        "Weights & Biases is too slow; 'wandb sync' sends the rest from"
        f" {os.path.join(self._workdir, 'wandb')}."
      )
    self._look()

  def _do(self, job: Callable[[], object]) -> None:
    """Leaves a job to the thread, unless one has failed."""
    self._look()
    if not self._failed:
      self._jobs.put(job)

  def _look(self) -> None:
    """Says once what ended the thread."""
    if self._error is None or self._failed:
      return
    self._failed = True
    reason = " ".join(str(self._error).split()) or type(self._error).__name__
    records.say(
      f"Weights & Biases gets no numbers any more ({reason}); the training"
      " goes on."
    )

  def _work(self) -> None:
    """Does jobs in their order, until one fails or there is None."""
    with contextlib.ExitStack() as stack:
      stack.push(self._keep)  # Whatever it is: none of it may stop a training.
      for job in iter(self._jobs.get, None):
        job()

  def _keep(self, kind: type, error: BaseException | None, *trace) -> bool:
    """Keeps what the thread raised for whoever looks next."""
    self._error = error
    return True

  def _begin(self, config: dict[str, Any]) -> None:
    import wandb

    self._run = wandb.init(
      project=self._project,
      id=_run_id(self._project, self._workdir),
      resume="allow",
      name=os.path.basename(os.path.normpath(self._workdir)),
      dir=self._workdir,
      config=config,
      # It would otherwise take over what the program prints.
      settings=wandb.Settings(console="off", quiet=True),
    )

  def _log(self, step: int, metrics: dict[str, float]) -> None:
    if step >= self._run.step:
      self._run.log(metrics, step=step)


def _run_id(project: str, workdir: str) -> str:
  """The run that this workdir began in the project, or a new one."""
  path = epath.Path(workdir) / FILE
  found = intact.read(path)
  if isinstance(found, dict) and found.get("project") == project:
    return str(found.get("id"))
  made = secrets.token_hex(4)
  intact.write_whole(json.dumps({"project": project, "id": made}), path)
  return made
