"""Dense transfer in the experiments: encoders, seeds, places and units."""

import functools
import shlex

import fake_runs
import pytest
from fake_runs import BYOL, NO_TARGET, TOP1, experiment, flag

from byol_jax import config as config_lib
from experiments import (
  commands,
  configured,
  dense_location,
  figures,
  plan,
  results,
  runner,
  scales,
  scoring,
  table4,
  table9,
  tables,
)
from experiments.declare import Column, Row

DESK, PAPER = scales.SCALES["desk"], scales.SCALES["paper"]
SUPERVISED = Row("Supervised", {}, encoder="supervised")
RMS = Column("rms", "rms", score="rms", is_share=False, lower_is_better=True)
LABELS = "supervised.py:100percent"
FILES = ("camvid.tar", "coco128.tar", "nyu.tar")


@pytest.fixture
def place(tmp_path):
  """Where everything lies at the desk."""
  for part in ("pictures/train", "pictures/test", "dense"):
    (tmp_path / part).mkdir(parents=True)
  for name in FILES:
    (tmp_path / "dense" / name).touch()
  return commands.Place(
    DESK, "", "runs", str(tmp_path / "pictures"), str(tmp_path / "dense")
  )


@pytest.fixture
def call(tmp_path, monkeypatch):
  monkeypatch.setattr(figures, "scores", lambda *arguments: None)
  monkeypatch.setattr(figures, "save", lambda *arguments: None)
  return functools.partial(fake_runs.call, tmp_path)


def _runs(row, scale=DESK, name="table4a", column="mIoU"):
  made = next(x for x in table4.EXPERIMENTS if x.name == name)
  return [
    cell.evaluation
    for cell in plan.cells(made, scale)
    if cell.row == row and column in cell.columns
  ]


@pytest.mark.parametrize("row", ["BYOL", "Supervised-IN"])
def test_seeds_train_the_task_anew_on_one_encoder(row, place):
  found = _runs(row)
  made = [commands.evaluation(run, place) for run in found]
  assert len({run.pretraining for run in found}) == 1
  assert [plan.seed_of(run) for run in found] == [0, 1, 2]
  assert [flag(x, "config.seed") for x in made] == ["", "1", "2"]
  assert len({flag(x, "config.encoder") for x in made}) == 1
  assert len({flag(x, "workdir") for x in made}) == 3


def test_seeds_draw_an_untrained_encoder_anew(place):
  made = [commands.evaluation(x, place) for x in _runs("Random init (ours)")]
  assert [flag(x, "config.seed") for x in made] == ["0", "1", "2"]
  assert {flag(x, "config.encoder") for x in made} == {"random"}


def test_the_first_seed_is_the_run_of_other_tables():
  both = [
    plan.cells(experiment(BYOL, seeds_of=x), DESK, (0, 1))
    for x in ("encoder", "evaluation")
  ]
  first, second = zip(*both, strict=True)
  assert len({plan.digest(cell.evaluation) for cell in first}) == 1
  assert len({plan.digest(cell.evaluation) for cell in second}) == 2


def test_an_encoder_is_trained_once_for_all_seeds(call, tmp_path):
  code, fake = call(experiment(BYOL, seeds_of="evaluation"), seeds="0,1,2")
  lines = fake_runs.lines(tmp_path)
  assert (code, len(fake.trained()), len(fake.commands)) == (0, 1, 4)
  assert [line["seed"] for line in lines] == [0, 1, 2]
  assert {line["encoder_seed"] for line in lines} == {0}
  timed = [
    {**x, "pretraining_secs": 50.0, "evaluation_secs": 5.0} for x in lines
  ]
  assert results.seconds(timed) == 65.0
  again = experiment(BYOL, seeds_of="evaluation")
  assert call(again, seeds="0,1,2")[1].commands == []


def test_a_supervised_encoder_is_that_of_its_table(place):
  one, other = (_runs(x)[0].pretraining for x in ("BYOL", "Supervised-IN"))
  byol, labels = (configured.built(x.config, x.changes) for x in (one, other))
  assert other.config == f"configs/eval/{LABELS}"
  assert labels.network.encoder == byol.network.encoder == "resnet8"
  assert labels.network.width_multiplier == byol.network.width_multiplier == 2
  assert labels.network.image_px == labels.data.image_px == 64
  assert labels.training.num_epochs == (byol.training.num_epochs,)
  trained = commands.pretraining(other, place)
  assert flag(trained, "config.data.test_path").endswith("pictures/test")
  assert flag(trained, "config.encoder") == ""
  used = commands.evaluation(_runs("Supervised-IN")[0], place)
  assert flag(used, "config.encoder") == flag(trained, "workdir")


def test_supervised_training_is_that_of_table9():
  place = commands.Place(PAPER, "", "runs")
  (made,) = table9.EXPERIMENTS
  theirs = next(
    cell.evaluation
    for cell in plan.cells(made, PAPER)
    if cell.row == "ResNet-50 (1x)" and cell.evaluation.encoder == "random"
  )
  ours = _runs("Supervised-IN", PAPER)[0].pretraining
  assert commands.folder(ours, place) == commands.folder(theirs, place)
  assert commands.pretraining(ours, place)[-1] == (
    f"--workdir={commands.folder(theirs, place)}"
  )


def test_a_supervised_encoder_that_is_there_is_not_trained(call, place, capsys):
  made = experiment(SUPERVISED)._replace(base="photographs")
  where = [f"--pictures={place.pictures}"]
  call(made, more=[*where, "--print"])
  by_hand, evaluation = (
    shlex.split(x)[1:] for x in capsys.readouterr().out.splitlines()
  )
  configs = [flag(x, "config") for x in (by_hand, evaluation)]
  assert configs == [f"configs/eval/{x}" for x in (LABELS, "linear.py")]
  fake_runs.Processes()(by_hand, None, None)
  assert call(made, more=where)[1].commands == [evaluation]


def test_an_encoder_that_nothing_trains_by_labels_is_named():
  with pytest.raises(ValueError, match="'ablation' by no labels, only that of"):
    plan.cells(experiment(SUPERVISED), DESK)


@pytest.mark.parametrize("scale", ["gpu", "desk"])
@pytest.mark.parametrize("column", ["AP50", "mIoU", "rms"])
def test_every_task_finds_its_set(scale, column, place):
  place = place._replace(scale=scales.SCALES[scale])
  name = "table4b" if column == "rms" else "table4a"
  run = _runs("Random init (ours)", place.scale, name, column)[0]
  found = commands.where(run, place)
  assert found
  assert {x.rpartition("/")[2] for x in found.values()} <= set(FILES)
  config = configured.built(run.config, run.changes)
  config.update_from_flattened_dict({**found, "encoder": "random"})
  config_lib.validate(config, 1)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"pictures": ""}, "--pictures is not given: name a folder with train"),
    ({"pictures": "nowhere"}, "--pictures=nowhere holds none of train"),
    ({"dense": ""}, "--dense is not given: configs/eval/depth.py:nyu_desk"),
    ({"dense": "nowhere"}, "--dense=nowhere has no nyu.tar, which configs"),
  ],
)
def test_what_is_not_there_is_named_before_any_run(
  call, place, change, message
):
  place = place._replace(**change)
  where = [f"--pictures={place.pictures}", f"--dense={place.dense}"]
  fake = fake_runs.Processes()
  argv = ["--scale=desk", *where, f"--results={place.runs}", "--rows=BYOL"]
  made = [x for x in table4.EXPERIMENTS if x.name == "table4b"]
  with pytest.raises(ValueError, match=message):
    runner.run(made, [*argv, f"--runs={place.runs}"], fake)
  assert fake.commands == []


def test_detection_at_the_papers_scale_comes_from_tfds():
  found = dense_location.settings("configs/eval/detection.py:voc2007", "", "x")
  assert found == {"data.data_dir": "x"}


def _line(seed, rms):
  scores = {"top1": 0.5, "rms": rms}
  return {
    **{"row": "BYOL", "columns": ["top1", "rms"], "seed": seed},
    **{"status": "done", "scores": scores, "table": "one"},
  }


def test_errors_are_no_percentages():
  made = experiment(BYOL, columns=(TOP1, RMS))
  lines = [_line(0, 0.541), _line(1, 0.545)]
  found = scoring.scores(made, lines)
  assert found["BYOL", "top1"].mean == 50.0
  assert found["BYOL", "rms"].mean == pytest.approx(0.543)
  (row,) = tables.scores(made, lines).body
  assert row[-1] == "0.543 ± 0.002 (n=2)"
  assert tables.caption(made).endswith("Lower is better: rms.")
  assert "Lower" not in tables.caption(experiment(BYOL))


@pytest.mark.parametrize("number", [0, 1])
def test_a_page_says_what_the_tasks_are_trained_on(number):
  made = table4.EXPERIMENTS[number]
  text = " ".join(tables.facts(made, DESK, []))
  assert ("CamVid at 320x240" in text) == (number == 0)
  assert ("relative depth" in text) == (number == 1)
  assert "CIFAR" not in text


def test_errors_are_not_drawn_beside_percentages():
  made = table4.EXPERIMENTS[1]
  picture = figures.scores(made, DESK, [])
  _, names = picture.axes[0].get_legend_handles_labels()
  assert names == ["below 1.25", "below 1.25^2", "below 1.25^3"]
  assert [panel.get_xlabel() for panel in picture.axes] == ["%", "%"]
  alone = experiment(BYOL, NO_TARGET, columns=(RMS,))
  (panel, _) = figures.scores(alone, DESK, []).axes
  assert panel.get_legend_handles_labels()[1] == ["rms"]
