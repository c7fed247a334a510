"""What fills in the columns of the tables at the paper's own scale."""

import declared
import pytest

from byol_jax import config as config_lib
from byol_jax.data import benchmark_sets
from experiments import configured, plan, scales

_MAIN, _ABLATION = "configs/imagenet.py:1000", "configs/imagenet.py:300"
_PAPER = scales.SCALES["paper"]
_RECIPE_512 = (
  "BYOL ResNet-50, 1000 epochs, batch 512 (base LR 0.4, tau_base 0.9995, "
  "wd 1.5e-6, 64 TPU cores, about 4 days)"
)
_NEITHER = "pretrain_aug=False; logit_reg=False"


@pytest.mark.parametrize(
  ("place", "evaluation", "score"),
  [
    ("table1a/BYOL/top1", "linear.py", "top1"),
    ("table1b/BYOL / ResNet-200 (2x)/top5", "linear.py", "top5"),
    ("table2a/BYOL/top1_1pct", "finetune.py:1percent", "top1"),
    ("table2a/BYOL/top5_10pct", "finetune.py:10percent", "top5"),
    (
      "table2b/BYOL / ResNet-50 (4x)/top1_10pct",
      "finetune.py:10percent",
      "top1",
    ),
    ("table3_linear/BYOL/Food101", "logistic.py:food101", "top1"),
    ("table3_linear/BYOL/VOC2007", "logistic.py:voc2007", "map11"),
    ("table3_linear/SimCLR (repro)/Pets", "logistic.py:pets", "mean_per_class"),
    ("table3_finetune/BYOL/Cars", "finetune.py:transfer", "top1"),
    (f"table7/ResNet-50 (1x); {_NEITHER}/top1", "linear.py", "top1"),
    ("table8/BYOL/top1", "finetune.py:100percent", "top1"),
    ("table8/SimCLR (repro)/top5", "finetune.py:100percent", "top5"),
    ("table9/ResNet-50 (1x)/byol_top5", "linear.py", "top5"),
    ("table13/BYOL-PL/ImageNet", "linear.py", "top1"),
    ("table13/BYOL-IN/Flowers", "logistic.py:flowers", "mean_per_class"),
  ],
)
def test_main_runs_are_evaluated_as_in_the_paper(place, evaluation, score):
  assert _found(place) == (_MAIN, evaluation, score, "trained", 1)


@pytest.mark.parametrize(
  ("place", "protocol"),
  [
    (
      "table9/ResNet-101 (2x)/supervised_ours_top1",
      (_MAIN, "supervised.py:100percent", "top1", "random", 1),
    ),
    (
      "stl10_bn/No Normalization/accuracy",
      ("configs/stl10.py", "logistic.py:own", "top1", "trained", 3),
    ),
    (
      "stl10_bn/Random/accuracy",
      ("configs/stl10.py", "logistic.py:own", "top1", "random", 3),
    ),
    (
      "random_targets/randomly initialised ResNet-50, linear evaluation/top1",
      (_ABLATION, "linear.py", "top1", "random", 3),
    ),
    (
      "random_targets/predictor LR raised, no EMA/top1",
      (_ABLATION, "linear.py", "top1", "trained", 3),
    ),
    (
      f"random_targets/{_RECIPE_512}/top1",
      (_ABLATION, "linear.py", "top1", "trained", 1),
    ),
  ],
)
def test_other_runs_are_evaluated_as_in_the_paper(place, protocol):
  assert _found(place) == protocol


def _cells(place):
  """Cells of TABLE/ROW/COLUMN, one for each declared seed."""
  name, _, rest = place.partition("/")
  row, _, column = rest.rpartition("/")
  made = declared.BY_NAME[name]
  return made, [
    cell
    for cell in plan.cells(made, _PAPER)
    if cell.row == row and column in cell.columns
  ]


def _found(place):
  made, cells = _cells(place)
  score = {x.name: x.score for x in made.columns}[place.rpartition("/")[2]]
  run = cells[0].evaluation
  evaluation = run.config.removeprefix("configs/eval/")
  seeds = {cell.evaluation.pretraining.seed for cell in cells}
  return run.pretraining.config, evaluation, score, run.encoder, len(seeds)


@pytest.mark.parametrize("protocol", ["linear", "finetune"])
def test_each_set_of_table3_has_its_own_metric(protocol):
  made, _ = _cells(f"table3_{protocol}//")
  metrics = {x.name.lower(): x.score for x in made.columns}
  sets = benchmark_sets.SETS
  assert metrics == {name: sets[name].metric for name in metrics}
  assert set(metrics) == set(sets)
  for column in made.columns:
    _, (cell,) = _cells(f"table3_{protocol}/BYOL/{column.name}")
    found = configured.built(cell.evaluation.config, cell.evaluation.changes)
    assert found.data.source == "set"
    assert found.data.sets == (column.name.lower(),)


def test_the_linear_columns_of_table13_are_two_data_sets():
  names = []
  for column in ("Places365", "ImageNet"):
    _, (cell,) = _cells(f"table13/BYOL-PL/{column}")
    run = cell.evaluation
    names.append(configured.built(run.config, run.changes).data.tfds_name)
    pretraining = run.pretraining
    config = configured.built(pretraining.config, pretraining.changes)
    assert config.data.tfds_name == "places365_small"
  assert names == ["places365_small", "imagenet2012"]


@pytest.mark.parametrize("scale", list(scales.SCALES))
def test_table7_without_either_is_the_run_of_table1(scale):
  first = declared.cells("table7", scale)[0]
  assert _NEITHER in first.row
  (base,) = declared.cells("table1a", scale)
  assert plan.digest(first.evaluation) == plan.digest(base.evaluation)


@pytest.mark.parametrize("scale", ["gpu", "desk"])
def test_every_run_and_evaluation_is_valid_with_a_folder(scale, tmp_path):
  place = declared.place(scale, tmp_path)
  place = place._replace(data=place.pictures)
  found = {
    (run.config, run.changes): run
    for name in declared.NAMES
    for cell in declared.cells(name, scale)
    for run in (cell.evaluation, cell.evaluation.pretraining)
  }
  sources = {}
  for key, run in found.items():
    before = configured.built(*key).data.source
    config = declared.located(run, place)
    sources.setdefault(before, set()).add(config.data.source)
    if "protocol" in config:
      config.encoder = "random"
    config_lib.validate(config, 1)
  assert sources["tfds"] == {"folder"}
  assert sources.get("set", {"set"}) == {"set"}
  assert ("set" in sources) == (scale == "gpu")


def test_evaluations_are_all_used():
  for name, scale in scales.SCALES.items():
    used = {
      column.evaluation
      for made in declared.EXPERIMENTS
      if name not in made.missing
      for column in made.columns
    }
    unused = set(scale.evaluations) - used
    assert unused == set(), name
