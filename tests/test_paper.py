"""The numbers and settings that the papers print."""

import declared
import pytest

from experiments import paper

_NORMS = {
  "bn": "batch",
  "ln": "layer",
  "gn": "group",
  "none": "none",
  "first batch": "affine",
}
_TARGETS = {"xi": "moving_average", "sg": "stop_gradient", "theta": "online"}


def _printed():
  """Each row's `config` in paper_tables.json, where it has one."""
  for name in declared.NAMES:
    rows = {
      x["method"]: x for x in paper.table(declared.BY_NAME[name].paper)["rows"]
    }
    for row in declared.BY_NAME[name].rows:
      printed = rows.get(row.name, {}).get("config", {})
      if "init" in printed:
        # No norm, but a scale and an offset from the first batch.
        printed = {**printed, "norm": "first batch"}
      if row.changes is not None and printed:
        yield pytest.param(name, row.name, printed, id=f"{name}-{row.name}")


# The paper's words for a setting: what to look at in a config.
_MEANING = {
  "tau_base": lambda c, x: (
    c.target.kind == "fixed" if x == 1 else c.target.base_decay == x
  ),
  "tau": lambda c, x: c.target.kind == "stop_gradient" and x == 0,
  # Without a moving average; its tau is 0 all the time.
  "tau_schedule": lambda c, x: (
    x == "constant" and c.target.kind == "stop_gradient"
  ),
  "predictor": lambda c, x: (c.network.predictor == "mlp") == x,
  "target_network": lambda c, x: c.target.kind == _target(x),
  "target": lambda c, x: c.target.kind == _TARGETS[x],
  "beta": lambda c, x: c.objective.negative_weight == x,
  "alpha": lambda c, x: c.objective.temperature == x,
  "projector_depth": lambda c, x: len(c.network.projector_hidden) == x - 1,
  "predictor_depth": lambda c, x: len(c.network.predictor_hidden) == x - 1,
  "projection_dim": lambda c, x: c.network.projection_dim == x,
  "base_lr": lambda c, x: c.optimizer.base_learning_rate == x,
  "weight_decay": lambda c, x: c.optimizer.weight_decay == x,
  "batch_size": lambda c, x: (
    c.training.batch_size == x * c.training.micro_batches == 4096
  ),
  "accumulate": lambda c, x: c.training.micro_batches == x,
  "loss_norm": lambda c, x: (
    c.objective.normalization == {"l2": "l2", **_NORMS}[x]
  ),
  "predictor_lr_mult": lambda c, x: (
    isinstance(x, list) or c.optimizer.predictor_multiplier == x
  ),
  "projector_lr_mult": lambda c, x: c.optimizer.projector_multiplier == x,
  "norm": lambda c, x: (
    {c.network.encoder_norm, c.network.projector_norm, c.network.predictor_norm}
    == {_NORMS[x]}
  ),
  "encoder_norm": lambda c, x: c.network.encoder_norm == _NORMS[x],
  "projector_norm": lambda c, x: c.network.projector_norm == _NORMS[x],
  "predictor_norm": lambda c, x: c.network.predictor_norm == _NORMS[x],
  "init": lambda c, x: c.network.encoder_norm == "affine",
  "warmup_epochs": lambda c, x: c.training.warmup_epochs == x,
  "groups": lambda c, x: c.network.norm_groups == x,
  "weight_standardization": lambda c, x: c.network.weight_standardization == x,
  "lr": lambda c, x: c.optimizer.base_learning_rate == x,
  "loss": lambda c, x: (c.objective.negatives == "queue") == ("queue" in x),
}
# Of rows that are no run, of the evaluation, of the code, of Table 17.
_ELSEWHERE = {
  *("untrained", "pretrain_aug", "logit_reg", "ws_eps"),
  *("flip", "blur", "jitter", "grayscale", "solarize", "only"),
}


def _target(has_network):
  return "moving_average" if has_network else "online"


@pytest.mark.parametrize(("name", "row", "printed"), list(_printed()))
def test_rows_have_the_settings_that_the_paper_prints(name, row, printed):
  found = declared.config(name, row)
  assert set(printed) <= set(_MEANING) | _ELSEWHERE
  for key in set(printed) - _ELSEWHERE:
    assert _MEANING[key](found, printed[key]), key


@pytest.mark.parametrize(
  ("place", "value", "spread"),
  [
    (("table5a", "Constant random network", "top1"), 18.8, 0.7),
    (("table16", "64", "simclr_repro_top5"), 83.0, 1.9),
    (("table2a", "PIRL", "top1_1pct"), None, None),
    (("figure4", "100%", "byol_top1"), 77.7, None),
    (("figure4", "1%", "byol_top1"), None, None),
    # Printed twice, as 70.2 and 70.1.
    (("table19", "predictor=True, target=sg, beta=1", "top1"), 70.2, None),
  ],
)
def test_paper_has_the_printed_numbers(place, value, spread):
  assert paper.value(*place) == value
  assert paper.spread(*place) == spread


def test_paper_refuses_an_unknown_table():
  with pytest.raises(ValueError, match="'table99'"):
    paper.value("table99", "BYOL", "top1")
