"""What the experiments declare, against the paper's tables and the configs."""

import declared
import pytest

from byol_jax import config as config_lib
from byol_jax import schema
from byol_jax.augment import policies, sets
from experiments import configured, paper, scales, table14

# Rows that only the drawing has, or that are printed in part.
_SOME_ROWS = ("figure3a", "figure3b")
# What the paper gives for a model, and what is quoted in all rows.
_NOT_MEASURED = {"params_M", "weights_M", "supervised_simclr_top1"}


def test_every_table_has_an_experiment_or_a_reason():
  keys = {x.paper for x in declared.EXPERIMENTS}
  assert len(keys) > 20
  assert keys.isdisjoint(paper.WITHOUT_EXPERIMENT)
  assert (keys - {""}) | set(paper.WITHOUT_EXPERIMENT) == set(paper.names())
  assert all(x.endswith(".") for x in paper.WITHOUT_EXPERIMENT.values())


def test_names_are_unique_and_begin_with_their_files():
  assert len(declared.BY_NAME) == len(declared.EXPERIMENTS)
  for module in declared.MODULES:
    file = module.__name__.rpartition(".")[2]
    assert all(x.name.startswith(file) for x in module.EXPERIMENTS)
    assert f"python -m experiments.{file} --scale=" in module.__doc__


@pytest.mark.parametrize("name", declared.NAMES)
def test_rows_and_columns_are_those_of_the_paper(name):
  experiment = declared.BY_NAME[name]
  table = paper.table(experiment.paper)
  rows = {row.name for row in experiment.rows}
  theirs = {row["method"] for row in table["rows"]}
  columns = {column.name for column in experiment.columns}
  rows.discard("Random init (ours)")
  assert rows <= theirs
  assert columns <= set(table["columns"])
  assert len({row.name for row in experiment.rows}) == len(experiment.rows)
  if name not in _SOME_ROWS:
    assert rows == theirs
    assert columns | _NOT_MEASURED >= set(table["columns"])


@pytest.mark.parametrize("scale", list(scales.SCALES))
def test_every_run_and_evaluation_is_valid(scale, tmp_path):
  place, runs, evaluations = declared.place(scale, tmp_path), set(), {}
  for name in declared.NAMES:
    for cell in declared.cells(name, scale):
      runs.add(cell.evaluation.pretraining)
      found = cell.evaluation
      evaluations[found.config, found.changes] = found
  assert len(runs) > 100
  assert evaluations
  for run in runs:
    config = declared.located(run, place)
    for num_devices in (1,) if scale == "desk" else (1, 8):
      config_lib.validate(config, num_devices)
  for run in evaluations.values():
    found = declared.located(run, place)
    found.encoder = "random"
    # Dense tasks of the other scales are those of the desk.
    config_lib.validate(found, 8 if scale == "paper" else 1)


def _run(cell):
  """What a run does; two names of augmentations may mean the same."""
  run = cell.evaluation.pretraining
  config = configured.built(run.config, run.changes)
  if "protocol" in config:  # It is trained by labels.
    return str(run)
  views = (policies.Policy(**config.augment[x]) for x in ("view1", "view2"))
  views = sets.apply(config.augment.set, *views)
  return str((views, [x for x in run.changes if "augment" not in x[0]]))


@pytest.mark.parametrize("scale", list(scales.SCALES))
@pytest.mark.parametrize("name", declared.NAMES)
def test_no_two_rows_are_one_run(name, scale):
  """As without blur would be where the base has none."""
  if scale in declared.BY_NAME[name].missing:
    pytest.skip("declared to be missing")
  keys = [
    (cell.columns, cell.evaluation.changes, cell.evaluation.encoder, _run(cell))
    for cell in declared.cells(name, scale)
  ]
  assert keys
  assert len(set(keys)) == len(keys)


def test_reasons_name_a_scale():
  for experiment in declared.EXPERIMENTS:
    for part in (experiment, *experiment.rows):
      assert set(part.missing) <= set(scales.SCALES)
    for part in (*experiment.rows, *experiment.columns):
      assert set(part.at) <= set(scales.SCALES)


@pytest.mark.parametrize("scale", list(scales.SCALES))
def test_heads_of_two_layers_are_the_base(scale):
  base = scales.SCALES[scale].bases["ablation"]
  network = configured.built(base.config, tuple(base.changes.items())).network
  width = (table14.HIDDEN[scale],)
  assert network.projector_hidden == network.predictor_hidden == width


def test_columns_of_table22_are_multipliers():
  found = declared.config("table22", "mu_proj 1.5", "lambda_pred_5").optimizer
  assert (found.projector_multiplier, found.predictor_multiplier) == (1.5, 5.0)


@pytest.mark.parametrize(
  ("encoder", "pretrain", "regularized"),
  [("ResNet-200 (2x)", True, False), ("ResNet-50 (4x)", False, True)],
)
def test_table7_changes_the_evaluation(encoder, pretrain, regularized):
  row = f"{encoder}; pretrain_aug={pretrain}; logit_reg={regularized}"
  cells = [x for x in declared.cells("table7", "paper") if x.row == row]
  found = configured.built(
    cells[0].evaluation.config, cells[0].evaluation.changes
  )
  assert found.augment.kind == ("pretraining" if pretrain else "view")
  assert found.training.logit_clip == (20.0 if regularized else 0.0)
  assert found.training.logit_penalty == (1e-2 if regularized else 0.0)
  assert found.training.frozen


@pytest.mark.parametrize(
  ("scale", "hidden", "dim", "factor"),
  [("paper", (2048,), 128, 2.5), ("gpu", (4096,), 256, 1.0)],
)
def test_simclr_has_its_own_head_on_imagenet_only(scale, hidden, dim, factor):
  cell = next(
    x
    for x in declared.cells("table16", scale)
    if "simclr_repro_top1" in x.columns
  )
  run = cell.evaluation.pretraining
  found = configured.built(run.config, run.changes)
  assert found.network.predictor == "none"
  assert found.target.kind == "online"
  assert found.objective.negative_weight == 1.0
  assert found.network.projector_hidden == hidden
  assert found.network.projection_dim == dim
  assert found.objective.scale == factor
  assert found.network.projector_output_norm == (scale == "paper")


def test_tables_share_their_runs():
  baseline = {
    name: declared.cells(name, "paper")[index].evaluation
    for name, index in (("table5b", 0), ("table5a", 2), ("table20", 0))
  }
  assert len(set(baseline.values())) == 1


def test_keys_are_the_schemas():
  for name in declared.NAMES:
    for row in declared.BY_NAME[name].rows:
      for changes in (row.changes or {}, *row.at.values()):
        assert set(changes) <= set(schema.RULES)
