"""Several runs side by side: a thread for each, with its share of the cores."""

import concurrent.futures
import os
import queue
from collections.abc import Iterator, Sequence

from . import commands, execute, plan, processes

# Evaluations of one encoder.
Job = tuple[plan.Evaluation, ...]


def jobs(cells: Sequence[plan.Cell]) -> list[Job]:
  """Each evaluation once, those of one encoder together."""
  found: dict[str, dict[str, plan.Evaluation]] = {}
  for cell in cells:
    run = cell.evaluation
    trained = run.encoder == "trained"
    owner = plan.digest(run.pretraining if trained else run)
    found.setdefault(owner, {}).setdefault(plan.digest(run), run)
  return [tuple(each.values()) for each in found.values()]


def work(
  todo: Sequence[Job],
  place: commands.Place,
  count: int,
  children: processes.Children,
) -> Iterator[tuple[plan.Evaluation, execute.Result]]:
  """Runs jobs, so many at a time.

  Args:
    todo: in the order in which they begin.
    place: where.
    count: so many at a time, each on its own share of the cores.
    children: runs a command; stopped at the end.

  Yields:
    Each evaluation with its result, as they end.
  """
  ended, shares = queue.SimpleQueue(), queue.SimpleQueue()
  for share in _shares(count):
    shares.put(share)

  def one(job: Job) -> None:
    for pair in execute.run(job, place, children):
      ended.put(pair)

  with concurrent.futures.ThreadPoolExecutor(
    count, initializer=lambda: _restrict(shares.get())
  ) as pool:
    try:
      for job in todo:
        pool.submit(one, job).add_done_callback(ended.put)
      yield from _until_all_ended(ended, len(todo))
    finally:  # Also after Ctrl-C, and where the caller stops early.
      children.stop()
      pool.shutdown(cancel_futures=True)


def _until_all_ended(ended: queue.SimpleQueue, left: int):
  """What the jobs report, until so many of them have come to their end."""
  while left:
    item = ended.get()
    if isinstance(item, concurrent.futures.Future):
      left -= 1
      item.result()  # Raises what was raised.
    else:
      yield item


def _restrict(cores: set[int]) -> None:
  """Keeps this thread, and the processes that it begins, to some cores."""
  if cores:
    os.sched_setaffinity(0, cores)


def _shares(count: int) -> list[set[int]]:
  """The cores in equal parts; nothing where there is no telling or no need."""
  if count == 1 or not hasattr(os, "sched_setaffinity"):
    return [set()] * count
  cores = sorted(os.sched_getaffinity(0))
  if len(cores) < count:
    return [set()] * count
  size = len(cores) // count
  return [set(cores[at * size : (at + 1) * size]) for at in range(count)]
