import subprocess
import sys

import pytest

from byol_jax import exits, parallel, peers


def _troubles(*looks, own=0, num_hosts=3):
  """What a host says at each look, ten seconds apart."""
  lookout = peers.Lookout(own, num_hosts)
  return [lookout.look(said, 10.0 * n) for n, said in enumerate(looks)]


def test_hosts_that_go_on_talking_are_no_trouble():
  looks = [{1: f"alive {n}", 2: f"alive {n}"} for n in range(10)]
  assert not any(_troubles(*looks))


@pytest.mark.parametrize("last", [{}, {2: "alive 0"}])
def test_a_host_that_falls_silent_is_named(last):
  looks = [{1: f"alive {n}", **last} for n in range(5)]
  *before, now = _troubles(*looks)
  assert not any(before)
  assert now == "Host 2 has been silent for 40 seconds"


def test_a_host_that_has_ended_may_be_silent():
  looks = [{1: "ended", 2: f"alive {n}"} for n in range(9)]
  assert not any(_troubles(*looks))


def test_a_host_that_has_failed_is_named_at_once():
  said = {0: "alive 1", 1: "alive 1", 2: "failed"}
  assert _troubles(said, own=1) == ["Host 2 has failed"]


def test_a_host_does_not_wait_for_itself():
  assert not any(_troubles(*[{1: "ended", 2: "ended"}] * 9, own=0))


ENDINGS = [
  (None, [0], "ended"),
  (SystemExit(exits.STOPPED), [exits.STOPPED], "ended"),
  (SystemExit(exits.REFUSED), [exits.REFUSED], "failed"),
  (ZeroDivisionError("a fault"), [exits.FAILED], "failed"),
]


@pytest.mark.parametrize(("error", "codes", "last"), ENDINGS)
def test_the_others_hear_how_a_host_ended(
  monkeypatch, capsys, error, codes, last
):
  said, ended = [], []
  monkeypatch.setattr(parallel, "num_hosts", lambda: 2)
  monkeypatch.setattr(parallel, "host", lambda: 1)
  monkeypatch.setattr(peers, "_say", said.append)
  others = iter(["alive 1", "alive 1", "alive 2"])
  monkeypatch.setattr(peers, "_said", lambda: {0: next(others, "ended")})
  watching = peers.Watching("begin again.", ended.append)
  watching.__enter__()
  watching.__exit__(type(error) if error else None, error, None)
  assert (ended, said[-1]) == (codes, last)
  assert ("a fault" in capsys.readouterr().err) == isinstance(
    error, ZeroDivisionError
  )


def test_a_host_that_fails_at_the_end_is_heard_of(monkeypatch, capfd):
  ended = []
  monkeypatch.setattr(parallel, "num_hosts", lambda: 2)
  monkeypatch.setattr(peers, "_say", lambda text: None)
  others = iter(["alive 1", "alive 1"])
  monkeypatch.setattr(peers, "_said", lambda: {1: next(others, "failed")})
  with peers.Watching("begin again.", ended.append) as watching:
    watching._ended.set()
    watching._thread.join()
  assert ended == [exits.FAILED]
  assert "Host 1 has failed; begin again." in capfd.readouterr().err


def test_a_host_whose_partner_never_comes_ends_in_a_sentence():
  program = """
from byol_jax import parallel, peers
with peers.joining(1.0):
  parallel.initialize("127.0.0.1:45699", 2, 0)
"""
  done = subprocess.run(
    [sys.executable, "-c", program], capture_output=True, text=True, check=False
  )
  assert done.returncode == exits.FAILED
  assert done.stderr.splitlines()[-1] == (
    "byol_jax: The other processes have not come within 1 s: start the same"
    " command on every host."
  )


def test_trouble_ends_the_process_with_a_sentence(monkeypatch, capfd):
  ended = []
  monkeypatch.setattr(parallel, "num_hosts", lambda: 2)
  monkeypatch.setattr(peers, "_say", lambda text: None)
  monkeypatch.setattr(peers, "_said", lambda: {1: "failed"})
  with peers.Watching("begin again.", ended.append) as watching:
    watching._thread.join(0.2)
  assert set(ended) == {exits.FAILED}
  line = "byol_jax: Host 1 has failed; begin again.\n"
  assert capfd.readouterr().err.startswith(line)


@pytest.mark.parametrize(
  "text",
  [
    "RESOURCE_EXHAUSTED: Ran out of memory on HBM, 40G of 15G.",
    "INTERNAL: Error dispatching computation: Out of memory allocating 9",
  ],
)
def test_too_little_memory_is_a_sentence(text):
  said = peers.explained(f"{text}\nAllocations")
  assert said.startswith(f"The devices have too little memory ({text}): lower ")
  assert "Allocations" not in said
