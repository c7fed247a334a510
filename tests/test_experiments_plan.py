import pytest
from fake_runs import BYOL, NO_TARGET, TOP1, experiment

from experiments import (
  commands,
  configured,
  location,
  plan,
  scales,
  table5b,
  table17,
)
from experiments.declare import Column, Row, Times

DESK = scales.SCALES["desk"]
EVALUATION = configured.built("configs/eval/linear.py", ())


def _cells(*rows, seeds=(0,), **fields):
  return plan.cells(experiment(*rows, **fields), DESK, seeds)


def _digest(row):
  (cell,) = _cells(row)
  return plan.digest(cell.evaluation)


def _pretraining(row):
  (cell,) = _cells(row)
  return cell.evaluation.pretraining


def _base(key):
  config = configured.built("configs/cifar10.py:desk", ())
  section, name = key.split(".")
  return config[section][name]


def test_what_the_config_has_already_is_no_change():
  same = Row("same", {"network.predictor": _base("network.predictor")})
  other = Row("other", {"network.predictor": "none"})
  assert _digest(same) == _digest(BYOL)
  assert _digest(other) != _digest(BYOL)


def test_tables_share_the_run_of_their_baseline():
  def digest(module, name):
    cells = plan.cells(module.EXPERIMENTS[0], DESK, (0,))
    found = next(cell for cell in cells if cell.row == name)
    return plan.digest(found.evaluation.pretraining)

  assert digest(table5b, "BYOL") == digest(table17, "Baseline")
  assert digest(table5b, "BYOL") != digest(table5b, "neither")


@pytest.mark.parametrize(
  ("key", "factor"),
  [("optimizer.base_learning_rate", 0.1), ("training.batch_size", 0.5)],
)
def test_a_multiple_is_of_what_the_base_has(key, factor):
  base = _base(key)
  wanted = type(base)(base * factor)
  changes = dict(_pretraining(Row("x", {key: Times(factor)})).changes)
  assert changes[key] == pytest.approx(wanted)
  assert type(changes[key]) is type(base)


def test_a_whole_number_becomes_what_the_config_has():
  (change,) = _pretraining(Row("x", {"training.num_epochs": 7})).changes
  assert change == ("training.num_epochs", 7.0)
  assert isinstance(change[1], float)


def test_a_scale_may_have_other_changes():
  row = Row("x", {"training.batch_size": 4096}, at={"desk": {}})
  assert _digest(row) == _digest(BYOL)


def test_columns_of_one_evaluation_are_one_cell():
  columns = (TOP1, Column("top5", "top-5", score="top5"))
  (cell,) = _cells(BYOL, columns=columns)
  assert cell.columns == ("top1", "top5")


def test_columns_of_two_networks_are_two_cells():
  simclr = Column("simclr", "", changes={"network.predictor": "none"})
  found = _cells(BYOL, columns=(TOP1, simclr))
  assert len({plan.digest(cell.evaluation) for cell in found}) == 2


def test_the_first_seed_of_all_rows_comes_first():
  rows = (BYOL, Row("fixed", {"target.kind": "fixed"}))
  found = _cells(*rows, seeds=(3, 1))
  order = [(x.row, x.evaluation.pretraining.seed) for x in found]
  assert order == [("BYOL", 3), ("fixed", 3), ("BYOL", 1), ("fixed", 1)]


def test_rows_that_are_quoted_or_missing_are_not_run():
  rows = (Row("a", None), Row("b", {}, missing={"desk": "No."}))
  assert _cells(*rows) == []
  assert _cells(BYOL, missing={"desk": "No."}) == []
  assert len(_cells(BYOL, missing={"gpu": "No."})) == 1


def test_where_the_data_lies_changes_commands_and_no_folder(tmp_path):
  for part in ("train", "test"):
    (tmp_path / part).mkdir()
  (cell,) = _cells(BYOL)
  run = cell.evaluation
  other = tmp_path / "other"
  for part in ("train", "test"):
    (other / part).mkdir(parents=True)
  places = [
    commands.Place(DESK, str(data), "runs") for data in (other, tmp_path)
  ]
  here, there = [commands.evaluation(run, place) for place in places]
  assert here != there
  assert here[-1] == there[-1] == f"--workdir={commands.folder(run, places[0])}"
  assert f"--config.data.train_path={tmp_path / 'train'}" in there


def test_members_of_an_archive_have_a_prefix(tmp_path):
  for part in ("train", "test"):
    (tmp_path / f"{part}.tar.gz").touch()
  found = location.settings(DESK, str(tmp_path), EVALUATION)
  assert found["data.test_path"] == str(tmp_path / "test.tar.gz")
  assert found["data.test_prefix"] == "test"


def test_a_folder_without_pictures_is_refused(tmp_path):
  with pytest.raises(ValueError, match=r"holds none of train, train\.tar"):
    location.settings(DESK, str(tmp_path), EVALUATION)


def test_an_untrained_encoder_has_the_architecture_of_its_row():
  changes = {"network.encoder_norm": "layer"}
  row = Row("x", changes, encoder="random")
  (cell,) = _cells(row)
  known = dict(cell.evaluation.changes)
  assert known["network.encoder_norm"] == "layer"
  assert known["network.image_px"] == _base("data.image_px")
  arguments = commands.evaluation(
    cell.evaluation, commands.Place(DESK, "", "runs")
  )
  assert "--config.encoder=random" in arguments


def test_an_untrained_encoder_has_no_optimizer():
  one, other = (
    Row("x", {"optimizer.name": name}, encoder="random")
    for name in ("lars", "sgd")
  )
  assert _digest(one) == _digest(other)
  assert _digest(one) != _digest(one._replace(encoder="trained"))


@pytest.mark.parametrize(
  ("row", "column", "message"),
  [
    (Row("x", {"target.kidn": "fixed"}), TOP1, "has no key target.kidn"),
    (BYOL, Column("x", "", evaluation="liner"), "no evaluation 'liner'"),
  ],
)
def test_a_wrong_declaration_is_named(row, column, message):
  with pytest.raises(ValueError, match=message):
    _cells(row, columns=(column,))


def test_seeds_have_commands_of_their_own():
  place = commands.Place(DESK, "", "runs")
  for encoder in ("trained", "random"):
    made = experiment(BYOL._replace(encoder=encoder))
    texts = []
    for cell in plan.cells(made, DESK, (0, 1)):
      run = cell.evaluation
      make = commands.evaluation
      if encoder == "trained":
        make, run = commands.pretraining, run.pretraining
      texts.append(make(run, place))
    one, other = texts
    differs = {x.partition("=")[0] for x in set(one) ^ set(other)}
    assert differs == {"--config.seed", "--workdir"}
    assert "--config.seed=1" in other


def test_a_row_may_have_fewer_seeds():
  rows = (BYOL, NO_TARGET._replace(seeds=(0,)))
  found = plan.cells(experiment(*rows), DESK)
  assert [x.row for x in found] == ["BYOL", NO_TARGET.name, "BYOL", "BYOL"]
  assert len(plan.cells(experiment(*rows), DESK, (5,))) == 2
