import json
import sys

import pytest

from benchmarks import compare, timing

META = {
  "device": "cpu",
  "processor": "x",
  "cores": 2,
  "jax": "1",
  "python": "3",
}
STEADY = [1.00, 1.01, 0.99, 1.02, 0.98]


def _report(folder, name, rows, **meta):
  path = folder / name
  path.write_text(json.dumps({"meta": {**META, **meta}, "rows": rows}))
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


@pytest.mark.parametrize("text", ["", "[]", '{"rows": []}'])
def test_what_is_no_report_is_refused(tmp_path, monkeypatch, text):
  (tmp_path / "old").write_text(text)
  new = _report(tmp_path, "new", [_row(STEADY)])
  assert "old" in _compare(monkeypatch, str(tmp_path / "old"), new)


def test_reports_without_common_measurements_are_refused(tmp_path, monkeypatch):
  old = _report(tmp_path, "old", [{"work": "step", "ms": 1.0}])
  new = _report(tmp_path, "new", [_row(STEADY)])
  assert _compare(monkeypatch, old, new) == "Nothing was measured in both runs."


def test_a_report_has_its_origin_and_what_the_table_leaves_out(
  tmp_path, capsys
):
  calls = []
  row = {"work": "x", **timing.measure(lambda: calls.append(1), 4, repeats=3)}
  timing.report([row], str(tmp_path / "out.json"))
  assert len(calls) == 4
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
