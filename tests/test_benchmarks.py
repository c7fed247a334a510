import argparse
import gzip
import json
import pathlib
import subprocess
import sys

import pytest

from benchmarks import compare, growth, kernels, timing

ROOT = pathlib.Path(__file__).parent.parent

META = {
  "device": "cpu",
  "processor": "x",
  "cores": 2,
  "jax": "1",
  "python": "3",
}
STEADY = [1.00, 1.01, 0.99, 1.02, 0.98]


def _report(folder, name, rows, settings=(), **meta):
  stored = {"meta": {**META, **meta}, "settings": dict(settings), "rows": rows}
  path = folder / name
  path.write_text(json.dumps(stored))
  return str(path)


def _row(walls, **columns):
  return {"work": "step", "ms": 1.0, **columns, "repeats": walls}


def _compare(monkeypatch, *arguments):
  """The exit code of the command."""
  monkeypatch.setattr(sys, "argv", ["compare", *arguments])
  with pytest.raises(SystemExit) as ended:
    compare.main()
  return ended.value.code


@pytest.mark.parametrize(
  ("walls", "code", "verdict"),
  [
    (STEADY, 0, "same"),
    ([1.02 * x for x in STEADY], 0, "same"),  # Within the noise.
    ([1.20 * x for x in STEADY], 1, "slower"),
    ([0.80 * x for x in STEADY], 0, "faster"),
    ([0.5, 0.9, 1.2, 1.5, 2.0], 0, "same"),  # Worse, and too noisy to say.
  ],
)
def test_slower_is_what_exceeds_the_noise(
  tmp_path, monkeypatch, capsys, walls, code, verdict
):
  old = _report(tmp_path, "old", [_row(STEADY)])
  new = _report(tmp_path, "new", [_row(walls)])
  assert _compare(monkeypatch, old, new) == code
  assert capsys.readouterr().out.splitlines()[-1].endswith(f"| {verdict} |")


def test_the_smallest_change_that_counts_can_be_raised(tmp_path, monkeypatch):
  old = _report(tmp_path, "old", [_row(STEADY)])
  new = _report(tmp_path, "new", [_row([1.2 * x for x in STEADY])])
  assert _compare(monkeypatch, old, new) == 1
  assert _compare(monkeypatch, old, new, "--at_least=25") == 0


def test_rows_are_found_by_what_was_not_measured(tmp_path, monkeypatch, capsys):
  slow = [2.0 * x for x in STEADY]
  old = [_row(STEADY, batch=8), _row(slow, batch=16), _row(STEADY, batch=1)]
  new = [_row(slow, batch=16, ms=7.0), _row(STEADY, batch=8), _row(slow, px=3)]
  files = [_report(tmp_path, n, x) for n, x in (("old", old), ("new", new))]
  assert _compare(monkeypatch, *files) == 0
  text = capsys.readouterr().out
  assert "Only in the old run: batch=1, work=step" in text
  assert "Only in the new run: px=3, work=step" in text
  assert text.count("| same |") == 2


def test_runs_of_other_settings_are_refused(tmp_path, monkeypatch, capsys):
  old = _report(tmp_path, "old", [_row(STEADY)], {"px": 32, "plain": True})
  new = _report(tmp_path, "new", [_row(STEADY)], {"px": 64, "hidden": 8})
  assert _compare(monkeypatch, old, new) == 2
  assert capsys.readouterr().err == (
    "byol_jax: The runs measured other things: hidden was unknown and is 8;"
    " plain was True and is unknown; px was 32 and is 64.\n"
  )
  assert _compare(monkeypatch, old, old) == 0


def test_equal_rows_are_found_in_their_order(tmp_path, monkeypatch):
  slow = [2.0 * x for x in STEADY]
  old = _report(tmp_path, "old", [_row(STEADY), _row(slow)])
  swapped = _report(tmp_path, "new", [_row(slow), _row(STEADY)])
  assert _compare(monkeypatch, old, old) == 0
  assert _compare(monkeypatch, old, swapped) == 1


def test_another_machine_is_said_and_does_not_hide_the_row(
  tmp_path, monkeypatch, capsys
):
  old = _report(tmp_path, "old", [_row(STEADY, device="cpu", cores=2)])
  new = _report(
    tmp_path,
    "new",
    [_row([2.0 * x for x in STEADY], device="H100", cores=16)],
    device="H100",
    jax="2",
  )
  assert _compare(monkeypatch, old, new) == 1
  line = capsys.readouterr().out.splitlines()[0]
  assert "device was cpu and is H100" in line
  assert "jax was 1 and is 2" in line
  assert "cores" not in line


@pytest.mark.parametrize(
  "text",
  [
    "",
    "[]",
    "[" * 99_999,
    '{"rows": []}',
    '{"meta": {}, "rows": [1]}',
    '{"meta": {}, "rows": [{"repeats": ["1"]}]}',
  ],
)
def test_what_is_no_report_is_refused(tmp_path, monkeypatch, capsys, text):
  (tmp_path / "old").write_text(text)
  new = _report(tmp_path, "new", [_row(STEADY)])
  assert _compare(monkeypatch, str(tmp_path / "old"), new) == 2
  assert f"{tmp_path / 'old'} " in capsys.readouterr().err


def test_reports_without_common_measurements_are_refused(
  tmp_path, monkeypatch, capsys
):
  old = _report(tmp_path, "old", [{"work": "step", "ms": 1.0}])
  new = _report(tmp_path, "new", [_row(STEADY)])
  assert _compare(monkeypatch, old, new) == 2
  said = capsys.readouterr().err
  assert said == "byol_jax: Nothing was measured in both runs.\n"


def test_a_report_has_its_origin_and_what_the_table_leaves_out(
  tmp_path, capsys
):
  times = timing.turns({"x": lambda: None}, repeats=3)
  row = {"work": "x", **timing.singles(times["x"])}
  timing.report([row], argparse.Namespace(out=str(tmp_path / "out.json")))
  stored = json.loads((tmp_path / "out.json").read_text())
  assert stored["rows"] == [row]
  assert len(row["repeats"]) == len(row["cpu_repeats"]) == 3
  assert stored["meta"]["device"] == "cpu"
  assert set(stored["meta"]) >= set(compare._MATTERS) - {"torch"} | {"commit"}
  assert "repeats" not in capsys.readouterr().out


def test_contenders_take_turns_after_a_call_to_warm_up():
  order = []
  works = {name: lambda name=name: order.append(name) for name in "ab"}
  walls = timing.interleaved(works, repeats=2)
  assert "".join(order) == "ababab"
  assert {name: len(x) for name, x in walls.items()} == {"a": 2, "b": 2}


def _events(*spans, thread=1, **more):
  """Spans of (name, start, duration)."""
  return [
    {"ph": "X", "pid": 1, "tid": thread, "name": n, "ts": t, "dur": d, **more}
    for n, t, d in spans
  ]


def _trace(folder, events):
  path = folder / "a.trace.json.gz"
  with gzip.open(path, "wt") as stream:
    json.dump({"traceEvents": events}, stream)
  return path


def test_kernels_are_those_of_the_streams_of_a_gpu(tmp_path):
  names = [
    {"ph": "M", "pid": 1, "tid": t, "name": "thread_name", "args": {"name": n}}
    for t, n in ((1, "Stream #7(Compute)"), (2, "XLA Ops"))
  ]
  runs = _events(("gemm", 0, 3000), ("add", 3000, 1000), ("gemm", 4000, 2000))
  other = _events(("gemm", 0, 9000), thread=2, args={"hlo_op": "x"})
  first, second = kernels.top(_trace(tmp_path, names + runs + other))
  assert first == kernels.Kernel("gemm", 2, 5.0, 5 / 6)
  assert second == kernels.Kernel("add", 1, 1.0, 1 / 6)


def test_a_kernel_does_not_have_the_time_of_those_inside_it(tmp_path):
  spans = (("loop", 0, 1000), ("dot", 100, 300), ("dot", 500, 300))
  events = _events(*spans, ("dot", 2000, 200), args={"hlo_op": "x"})
  events += _events(("python", 0, 9000))
  found = kernels.top(_trace(tmp_path, events))
  assert [(x.name, x.count, x.millisecs) for x in found] == [
    ("dot", 3, 0.8),
    ("loop", 1, 0.4),
  ]


def printed_without_tensorflow(program):
  """What a process prints in which importing TensorFlow fails."""
  program = f"import sys; sys.modules['tensorflow'] = None\n{program}"
  done = subprocess.run(
    [sys.executable, "-c", program],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
  )
  return done.stdout


def test_the_gpu_script_needs_no_tensorflow():
  program = "from benchmarks import gpu_step; print(gpu_step.__name__)"
  assert printed_without_tensorflow(program) == "benchmarks.gpu_step\n"


@pytest.mark.slow
def test_the_gpu_script_runs_without_tensorflow_and_says_that_it_is_a_cpu(
  tmp_path,
):
  out = tmp_path / "out.json"
  arguments = "--encoder=one_conv --stem=cifar --image_px=8 --batch_size=4"
  arguments += " --hidden=8 --num_steps=1 --repeats=1 --without_torch"
  program = f"""
from benchmarks import gpu_step
sys.argv = {["gpu_step", *arguments.split(), f"--out={out}"]}
sys.argv += ["--profile={tmp_path / "trace"}"]
gpu_step.main()
"""
  printed = printed_without_tensorflow(program)
  assert "no number below is a GPU's" in printed.splitlines()[0]
  rows = json.loads(out.read_text())["rows"]
  assert [x["step"] for x in rows] == ["ours, augmenting", "ours, views given"]
  assert all(x["images/s"] > 0 and x["GB a step"] > 0 for x in rows)
  # What this CPU's own trace holds.
  found = kernels.top(kernels.find(str(tmp_path / "trace")))
  assert len(found) == 10
  assert found[0].millisecs > 0.0
  assert f"`{found[0].name}`" in printed


def test_growth_is_the_exponent():
  rows = [
    {"axis": axis, "size": x, **dict.fromkeys(growth._COSTS, 3.0 * x**power)}
    for axis, power in (("batch", 1.0), ("width", 2.0))
    for x in (1, 2, 4)
  ]
  first, second = growth.exponents(rows)
  assert first["axis"] == "batch"
  assert first["ms a step"] == pytest.approx(1.0)
  assert second["MB a device"] == pytest.approx(2.0)
  assert growth.exponents(rows[:1])[0]["ms a step"] is None
