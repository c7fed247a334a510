"""Configs of evaluations: valid as they are, refused where they disagree."""

import importlib

import pytest

from byol_jax import config as config_lib
from configs.eval import logistic
from tests import tiny_eval


def _with(config, **changes):
  with config.unlocked():
    config.update_from_flattened_dict(changes)
  return config


@pytest.mark.parametrize(
  ("name", "preset"),
  [
    ("knn", ""),
    ("linear", ""),
    ("linear", "regularized"),
    ("logistic", "all"),
    ("logistic", "pets"),
    ("finetune", "10percent"),
    ("finetune", "100percent"),
    ("finetune", "transfer_random"),
    ("supervised", "100percent"),
    ("supervised", "1percent"),
  ],
)
def test_configs_are_valid(name, preset, tmp_path):

  module = importlib.import_module(f"configs.eval.{name}")
  made = module.get_config(preset) if preset else module.get_config()
  if not made.encoder:
    made = _with(made, encoder=str(tmp_path))
  config_lib.validate(made, num_devices=2)
  with pytest.raises(ValueError, match="nosuch"):
    module.get_config("nosuch")


def test_own_folder_needs_paths(tmp_path):

  made = _with(logistic.get_config("own"), encoder=str(tmp_path))
  with pytest.raises(ValueError, match=r"needs data.train_path"):
    config_lib.validate(made, num_devices=1)


@pytest.mark.parametrize(
  ("name", "changes", "message"),
  [
    ("knn", {"encoder": "/no/such"}, "encoder=/no/such does not exist"),
    ("knn", {"encoder": ""}, "encoder is empty"),
    ("knn", {"like": "."}, "is for encoder=random and pixels"),
    ("knn", {"data.hold_out": "last"}, "only k-NN chooses nothing"),
    ("linear", {"data.hold_out": "none"}, "only k-NN chooses nothing"),
    ("linear", {"data.hold_out_share": 0.0}, "both are 0"),
    ("linear", {"data.source": "set"}, "does not go with data.sets"),
    ("linear", {"optimizer.learning_rates": (0.1, 0.1)}, "different numbers"),
    ("linear", {"training.num_epochs": (0.0,)}, "must be above 0"),
    (
      "finetune",
      {"training.refit": True, "data.train_share": 0.1},
      "train_share=0.1 must be 1",
    ),
    ("finetune", {"augment.kind": "none"}, "training.frozen=True"),
    ("finetune", {"encoder": "pixels", "like": "."}, "has no weights"),
    ("linear", {"protocol": "nosuch"}, "protocol must be one of"),
    ("knn", {"encoder": "pixels"}, "needs a size"),
    ("knn", {"data.test_path": "x"}, "test_path=x is for data.source=folder"),
    ("knn", {"knn.neighbours": ()}, "positive integers"),
    ("knn", {"data.views": "host", "data.stored_px": 9}, "data.views=memory"),
    ("knn", {"data.sets_root": "/no/such"}, "sets_root=/no/such is not"),
    (
      "knn",
      {"data.source": "set", "data.sets": ("cats",)},
      "'cats', which is none of food101",
    ),
    (
      "logistic",
      {"data.source": "set", "data.sets": ("pets",), "data.hold_out": "none"},
      "only k-NN chooses nothing",
    ),
    ("logistic", {"logistic.strengths": ("a", "b")}, "2 numbers"),
    (
      "linear",
      {
        "data.source": "folder",
        "data.train_path": ".",
        "data.test_path": ".",
        "data.hold_out": "last",
      },
      "the last classes of a folder",
    ),
    (
      "linear",
      {"augment.kind": "none", "augment.randaugment_layers": 2},
      "shows every picture alike",
    ),
  ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path, name, changes, message):
  config = tiny_eval.config(name, tmp_path, changes=changes)
  with pytest.raises(ValueError, match=message):
    config_lib.validate(config, num_devices=1)
