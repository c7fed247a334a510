"""Kills a training of two processes again and again; nothing may be lost.

python -m tests.soak --folder=runs/soak --kills=50 --small_disk

Two processes train a tiny network on real pictures, with a checkpoint every few
steps and an evaluation now and then. Each is stopped at random moments by
SIGKILL or SIGTERM, one of them or both, while another process takes memory or
fills the disk, and the same command is given again. A round that reaches its
end is compared with the unbroken run: parameters, optimizer state and records
have to be equal to the bit. As many rounds as the kills need.

What happened goes to FOLDER/soak.jsonl, a line each; the same command goes on
where it was stopped. With --small_disk the run is in a file system of its own
(root only; otherwise the size of files is limited). At the end there is a table
for docs/reliability.md; exit code 1 if anything was not as promised.
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import random
import shutil
import signal
import socket
import sys
import time
from typing import NamedTuple

from byol_jax import intact
from tests import pressure, soak_report, soak_watch, tiny

_EVERY = 5  # Steps from checkpoint to checkpoint.
_STEPS = 100
# Longest delay after a phase was seen to begin.
_DELAYS = dict(zip(soak_watch.PHASES, (12.0, 6.0, 3.0, 0.05, 0.5), strict=True))
# After one process has ended, the other one's time; a cluster waits as well. Of
# one that never came the other cannot know.
_PATIENCE_SECS = 120.0
_UNMET_SECS = 20.0


class Kill(NamedTuple):
  """One interruption, drawn beforehand.

  Attributes:
    number: from 0.
    phase: what the run is to be doing.
    delay_secs: from the beginning of the phase.
    signal: SIGKILL or SIGTERM.
    targets: which of the two processes get it.
    pressure: "", "memory" or "disk".
    cold: whether compiled programs are forgotten before.
  """

  number: int
  phase: str
  delay_secs: float
  signal: str
  targets: tuple[int, ...]
  pressure: str
  cold: bool


def draw(seed, number):
  """The same interruption for the same numbers."""
  chance = random.Random(f"{seed}/{number}")
  phase = soak_watch.PHASES[number % len(soak_watch.PHASES)]
  return Kill(
    number=number,
    phase=phase,
    delay_secs=round(chance.uniform(0.0, _DELAYS[phase]), 4),
    signal=chance.choice(("SIGKILL", "SIGKILL", "SIGTERM")),
    targets=chance.choice(((0,), (1,), (0, 1))),
    pressure=chance.choice(("", "memory", "disk")),
    cold=chance.random() < 0.1,
  )


def start(workdir, views):
  """Both processes; every call is the same command."""
  with socket.socket() as one:
    one.bind(("127.0.0.1", 0))
    port = one.getsockname()[1]
  # Where `interrupt` forgets it.
  os.environ["JAX_COMPILATION_CACHE_DIR"] = str(workdir.parent / "compiled")
  return [
    tiny.start(
      workdir,
      f"--coordinator_address=127.0.0.1:{port}",
      "--num_processes=2",
      f"--process_id={number}",
      data__views=views,
      training__num_epochs=tiny.epochs(_STEPS),
      checkpoint__every_epochs=tiny.epochs(_EVERY),
      evaluation__every_epochs=tiny.epochs(soak_watch.EVALUATE),
    )
    for number in range(2)
  ]


def finish(processes, patience_secs=_PATIENCE_SECS, undisturbed=False):
  """Waits for both; what outlives the other too long is ended, as a cluster's.

  Args:
    processes: both.
    patience_secs: from the end of one, or the signal, to that of the other.
    undisturbed: there was no signal: the first may take its time.

  Returns:
    Codes, seconds until each ended, what they said, and which had to be ended.
  """
  since = math.inf if undisturbed else 0.0
  try:
    secs, hung = _wait(processes, patience_secs, since)
  finally:
    for process in processes:
      process.kill()
  said = [process.communicate()[1] for process in processes]
  return {
    "codes": [process.returncode for process in processes],
    "secs": [secs[number] for number in range(len(processes))],
    "hung": hung,
    "said": [[x[:300] for x in text.splitlines()[-60:]] for text in said],
    "sentence": [_sentence(text) for text in said],
    "traceback": ["Traceback" in text for text in said],
    "load": round(os.getloadavg()[0], 1),
  }


def _wait(processes, patience_secs, since):
  """Seconds until each ended, and who had to be ended."""
  begin, secs, hung = time.monotonic(), {}, []
  while len(secs) < len(processes):
    for number, process in enumerate(processes):
      if number not in secs and process.poll() is not None:
        secs[number] = round(time.monotonic() - begin, 2)
    passed = time.monotonic() - begin - min(secs.values(), default=since)
    if not hung and passed > patience_secs:
      hung = [n for n in range(len(processes)) if n not in secs]
      for number in hung:
        processes[number].kill()
    time.sleep(0.01)
  return secs, hung


def _sentence(text):
  """The line that a program ends with, of whatever is on the standard error."""
  lines = [x for x in text.splitlines() if x.startswith("byol_jax: ")]
  return lines[-1] if lines else ""


def interrupt(kill, workdir, views):
  """Starts the run, stops it in its phase, and says what was seen."""
  begin = time.monotonic()
  if kill.cold:
    shutil.rmtree(workdir.parent / "compiled", ignore_errors=True)
  before = soak_watch.newest_events(workdir)
  with contextlib.ExitStack() as stack:
    if kill.pressure == "memory":
      stack.enter_context(pressure.memory(2048, kill.number))
    if kill.pressure == "disk":
      stack.enter_context(pressure.full(workdir.parent, kill.number))
    processes = start(workdir, views)
    try:
      stuck = soak_watch.wait_for(kill.phase, workdir, before, processes)
      time.sleep(kill.delay_secs)
      for target in kill.targets:
        processes[target].send_signal(getattr(signal, kill.signal))
      early = kill.phase == "start-up"
      found = finish(processes, _UNMET_SECS if early else _PATIENCE_SECS)
    finally:
      for process in processes:
        process.kill()
  reached = soak_watch.reached(workdir)
  in_all = round(time.monotonic() - begin)
  line = {**kill._asdict(), **found, **reached, "stuck": stuck}
  return {**line, "in_all_secs": in_all}


def run(flags):
  """Interrupts until there were enough, compares, and returns all lines."""
  log = pathlib.Path(flags.folder) / "soak.jsonl"
  disk = contextlib.nullcontext(pathlib.Path(flags.folder))
  if flags.small_disk:
    disk = pressure.small_disk(pathlib.Path(flags.folder) / "disk", 96)
  with disk as place:
    unbroken = pathlib.Path(flags.folder) / "unbroken"
    if not (unbroken / "summary.json").exists():
      done = finish(start(unbroken, flags.views), undisturbed=True)
      if done["codes"] != [0, 0]:
        raise RuntimeError(f"The unbroken run failed: {done}.")
    while not _is_over(lines := intact.objects(log), flags.kills):
      rounds = sum("differing" in line for line in lines)
      kills = sum("phase" in line for line in lines)
      workdir = place / f"round_{rounds}"
      if kills < flags.kills:
        line = interrupt(draw(flags.seed, kills), workdir, flags.views)
      else:
        line = finish(start(workdir, flags.views), undisturbed=True)
        line["last"] = True
      line["round"] = rounds
      soak_report.tell(line, log)
      if line["codes"] == [0, 0]:
        differing = soak_watch.compare(workdir, unbroken)
        size = len(tiny.state(unbroken))
        line = {"round": rounds, "arrays": size, "differing": differing}
        soak_report.tell(line, log)
        if not differing:
          shutil.rmtree(workdir)  # The small disk is for the next.
  return lines


def _is_over(lines, kills):
  """Whether there were enough, and the round of the last one is compared."""
  count = sum("phase" in line for line in lines)
  failed = sum("last" in line and line["codes"] != [0, 0] for line in lines)
  return (count >= kills and "differing" in lines[-1]) or failed > 3


def main(argv):
  """Runs it all and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--folder", default="runs/soak")
  parser.add_argument("--kills", type=int, default=50)
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument("--views", default="memory")
  parser.add_argument("--small_disk", action="store_true")
  flags = parser.parse_args(argv)
  # So that nobody is left alone.
  signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
  pathlib.Path(flags.folder).mkdir(parents=True, exist_ok=True)
  lines = run(flags)
  print(soak_report.table(lines))
  wrong = soak_report.complaints(lines)
  if flags.small_disk and not wrong:
    pressure.unmount(pathlib.Path(flags.folder) / "disk")
  print(json.dumps(wrong, indent=2))
  return 1 if wrong else 0


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
