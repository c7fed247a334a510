import html.parser
import json
import math

import declared
import numpy as np
import pytest
from fake_runs import BYOL, NO_TARGET, QUOTED, TOP1, Processes, experiment

from experiments import (
  catalogue,
  comparison,
  curves,
  figures,
  grouping,
  report,
  results,
  runner,
  scales,
  scoring,
  tables,
)
from experiments.declare import Column, Row

DESK = scales.SCALES["desk"]
NAN = {"status": "diverged"}


def _line(row="BYOL", seed=0, score=0.5, **fields):
  return {
    "table": "one",
    "row": row,
    "columns": ["top1"],
    "seed": seed,
    "status": "done",
    "scores": {"top1": score},
    "metric": "top1",
    "statistics": {"loss": 1.0 + seed},
    "curve": {"loss": [[1, 2.0], [2, 1.0 + seed]]},
    "encoder": "trained",
    "config": "configs/cifar10.py",
    "overrides": {},
    "digest": f"{row}{seed}",
    "wall_secs": 1800.0,
    "data": "folder",
    "commit": "c" * 40,
    "device": "1 x cpu",
    **fields,
  }


SEEDS = [
  _line(seed=seed, score=x) for seed, x in enumerate((0.42, 0.45, 0.435))
]


def test_the_spread_is_half_of_the_range():
  score = scoring.over_seeds([42.0, 45.0, 43.5, math.nan])
  assert score == scoring.Score(43.5, 1.5, 3, 1)


def test_the_newest_line_of_a_seed_counts():
  lines = [_line(score=0.1), _line(score=0.3)]
  found = scoring.scores(experiment(BYOL), lines)
  assert found["BYOL", "top1"].mean == pytest.approx(30.0)
  assert found["BYOL", "top1"].count == 1


def test_an_unknown_score_is_named():
  columns = (Column("top1", "", score="top9"),)
  with pytest.raises(ValueError, match="no score 'top9', only top1"):
    scoring.scores(experiment(BYOL, columns=columns), SEEDS)


def test_a_page_has_paper_and_ours_side_by_side():
  lines = [*SEEDS, _line("predictor only", **NAN)]
  text = tables.markdown(experiment(BYOL, NO_TARGET, QUOTED), DESK, lines)
  assert "|  | top-1, paper | top-1, ours |\n| --- | ---: | ---: |" in text
  assert "| BYOL | 72.5 | 43.5 ± 1.5 (n=3) |" in text
  assert "| predictor only | 0.3 | diverged (n=1) |" in text
  assert "| neither | 0.1 | - |" in text
  assert "| BYOL | 2 |" in text
  assert "Commits: cccccccccc. Seeds: 0, 1, 2." in text
  assert "Wall time of all runs: 2.00 h." in text


def test_the_papers_spread_is_printed():
  row = Row("Constant random network", {})
  made = experiment(row)._replace(paper="table5a")
  (cells,) = tables.scores(made, []).body
  assert cells == ["Constant random network", "18.8 ± 0.7", "-"]


def test_lines_of_an_older_declaration_are_left_out(tmp_path):
  argv = ["--scale=desk", "--seeds=0", f"--results={tmp_path}"]
  made = experiment(BYOL, NO_TARGET)
  runner.run([made], [*argv, f"--runs={tmp_path}/runs"], Processes())
  lines = results.load(results.path(tmp_path / "desk", "one"))
  assert len(grouping.current(made, DESK, lines)) == 2
  changed = experiment(BYOL, NO_TARGET._replace(changes={}))
  found = grouping.current(changed, DESK, lines)
  assert [line["row"] for line in found] == ["BYOL"]


def test_a_row_with_two_networks_has_two_labels():
  simclr = Column("simclr", "SimCLR")
  other = _line(overrides={"network.predictor": "none"}, columns=["simclr"])
  made = experiment(BYOL, columns=(TOP1, simclr))
  found = grouping.labelled(made, [*SEEDS, other])
  assert [name for name, _ in found] == ["BYOL: top-1", "BYOL: SimCLR"]
  assert [len(lines) for _, lines in found] == [3, 1]


def test_half_a_line_is_none_and_hides_none(tmp_path):
  file = tmp_path / "one.jsonl"
  file.write_text(json.dumps(_line()) + "\n" + json.dumps(_line())[:40])
  assert len(results.load(file)) == 1
  results.append(_line(seed=5), file)
  assert [line["seed"] for line in results.load(file)] == [0, 5]


def test_a_trace_is_thinned_and_finite(tmp_path):
  lines = [{"step": s, "loss": float(s)} for s in range(1, 101)]
  lines.append({"step": 101, "loss": math.nan, "top1": 0.5})
  text = "".join(json.dumps(line) + "\n" for line in lines)
  (tmp_path / "metrics.jsonl").write_text(text + '{"step": 1')
  found = results.trace(str(tmp_path))
  assert found["statistics"] == {"loss": 100.0, "top1": 0.5}
  curve = found["curve"]["loss"]
  assert (len(curve), curve[0], curve[-1]) == (20, (1, 1.0), (100, 100.0))


def test_the_numbers_that_are_drawn_are_those_of_the_table():
  made = experiment(BYOL, NO_TARGET, QUOTED)
  lines = [*SEEDS, _line("predictor only", **NAN)]
  paper = comparison.printed(made)
  ours = comparison.measured(made, lines)
  np.testing.assert_allclose(paper.mean[:, 0], [72.5, 0.3, 0.1])
  np.testing.assert_allclose(ours.mean[:, 0], [43.5, math.nan, math.nan])
  np.testing.assert_allclose(ours.spread[:, 0], [1.5, 0.0, 0.0])
  assert ours.lost[:, 0].tolist() == [False, True, False]


def test_differences_are_to_the_baseline():
  made = experiment(BYOL, NO_TARGET, baseline="BYOL")
  paper = comparison.relative(made, comparison.printed(made))
  np.testing.assert_allclose(paper.mean[:, 0], [0.0, 0.3 - 72.5])
  same = comparison.relative(made._replace(baseline=""), paper)
  np.testing.assert_array_equal(same.mean, paper.mean)


@pytest.mark.parametrize("x", [None, 8.0])
def test_bars_and_curves_are_drawn(x, tmp_path):
  rows = (BYOL._replace(x=x), NO_TARGET._replace(x=x and 4096.0))
  made = experiment(*rows, axis="pictures")
  lines = [*SEEDS, _line("predictor only", score=0.1)]
  picture = figures.scores(made, DESK, lines)
  ours = picture.axes[1]
  assert ours.get_title(loc="left") == "ours"
  assert ours.get_xscale() == ("log" if x else "linear")
  if x:
    (line,) = [each.lines[0] for each in ours.containers]
    np.testing.assert_allclose(line.get_xydata(), [[8, 43.5], [4096, 10]])
  else:
    bars = [bar.get_width() for bar in ours.patches]
    np.testing.assert_allclose(bars, [43.5, 10.0])
  figures.save(picture, tmp_path / "one.png")
  assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


def test_curves_are_means_over_seeds():
  picture = curves.training(experiment(BYOL), SEEDS, ("loss", "unknown"))
  (panel,) = picture.axes
  (line,) = panel.lines
  np.testing.assert_allclose(line.get_xydata(), [[1, 2.0], [2, 2.0]])
  assert curves.training(experiment(BYOL), SEEDS, ("unknown",)) is None


class _Page(html.parser.HTMLParser):
  """Collects tags, what they refer to and the text; checks the nesting."""

  def __init__(self, text):
    super().__init__()
    self.open, self.links, self.tags, self.text = [], [], [], ""
    self.feed(text)

  def handle_starttag(self, tag, attributes):
    self.tags.append(tag)
    known = dict(attributes)
    self.links += [known[x] for x in ("src", "href") if x in known]
    if tag not in ("meta", "img"):
      self.open.append(tag)

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    self.text += data


def test_the_report_is_whole_and_needs_no_network():
  made = experiment(BYOL, NO_TARGET)._replace(title="Targets < & >")
  lines = [*SEEDS, _line("predictor only", overrides={"target.kind": "<a>"})]
  page = _Page(report.page([report.Section(made, DESK, lines)]))
  assert page.open == []
  assert page.tags.count("table") == 3
  assert page.tags.count("img") == 2
  assert all(link.startswith(("#", "data:image")) for link in page.links)
  assert "Targets < & >" in page.text
  assert "43.5 ± 1.5 (n=3)" in page.text
  assert "target.kind=<a>" in page.text


def test_the_report_finds_what_has_run(tmp_path):
  argv = ["--scale=desk", "--seeds=0", f"--results={tmp_path}"]
  made, other = experiment(BYOL), experiment(BYOL, name="not_run")
  runner.run([made], [*argv, f"--runs={tmp_path}/runs"], Processes())
  assert (tmp_path / "desk" / "one.png").stat().st_size > 0
  (section,) = report.sections([made, other], tmp_path)
  assert (section.experiment.name, section.scale.name) == ("one", "desk")


def test_the_catalogue_is_complete():
  names = [made.name for made in catalogue.ALL]
  assert sorted(names) == sorted(made.name for made in declared.EXPERIMENTS)


def test_a_report_of_nothing_is_refused(tmp_path, capsys):
  with pytest.raises(SystemExit):
    report.main([f"--results={tmp_path}"])
  message = f"byol_jax: --results={tmp_path} has no results.\n"
  assert capsys.readouterr().err == message


def test_a_report_that_cannot_be_written_is_refused(
  tmp_path, capsys, monkeypatch
):
  section = report.Section(experiment(BYOL), DESK, SEEDS)
  monkeypatch.setattr(report, "sections", lambda *arguments: [section])
  with pytest.raises(SystemExit) as stopped:
    report.main([f"--output={tmp_path}/no/such.html"])
  assert stopped.value.code == 2
  assert "no/such.html cannot be written (No such file" in (
    capsys.readouterr().err
  )
