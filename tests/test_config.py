import ast
import importlib.util
import pathlib

import ml_collections
import pytest

from byol_jax import config as config_lib
from byol_jax import schema
from byol_jax.augment import policies, sets

CONFIGS = pathlib.Path(__file__).parent.parent / "configs"
PRESETS = [
  ("cpu", ""),
  ("imagenet", ""),
  ("imagenet", "40"),
  ("imagenet", "100"),
  ("imagenet", "300"),
  ("imagenet", "1000"),
  ("imagenet", "one_gpu"),
  ("imagenette", ""),
  ("cifar10", "1000"),
  ("cifar10", "cpu"),
  ("cifar10", "desk"),
  ("moco_v2", "200"),
  ("moco_v2", "800"),
  ("simclr", "100"),
  ("simclr", "1000"),
  ("stl10", ""),
  ("folder", ""),
]


def _load(name, preset=""):
  path = CONFIGS / f"{name}.py"
  spec = importlib.util.spec_from_file_location(f"config_{name}", path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module.get_config(preset) if preset else module.get_config()


def _flatten(config):
  leaves = {}
  for key, value in config.items():
    inner = isinstance(value, ml_collections.ConfigDict)
    found = _flatten(value) if inner else {"": value}
    for rest, leaf in found.items():
      leaves[f"{key}.{rest}".rstrip(".")] = leaf
  return leaves


def _cpu_with(**changes):
  """The CPU config with other values; two underscores are a dot."""
  config = _load("cpu")
  for name, value in changes.items():
    *sections, key = name.split("__")
    section = config
    for step in sections:
      section = section[step]
    with section.unlocked(), section.ignore_type():
      section[key] = value
  return config


def _message(num_devices=2, **changes):
  with pytest.raises(ValueError, match=r".") as error:
    config_lib.validate(_cpu_with(**changes), num_devices)
  return str(error.value)


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_every_config_is_locked_and_valid(name, preset, tmp_path):
  config = _load(name, preset)
  assert config.is_locked
  if config.data.source == "folder":
    config.data.train_path = config.data.test_path = str(tmp_path)
  config_lib.validate(config, num_devices=8)


@pytest.mark.parametrize("name", sorted({name for name, _ in PRESETS}))
def test_every_config_refuses_an_unknown_preset(name):
  with pytest.raises(ValueError, match="'no_such'"):
    _load(name, "no_such")


@pytest.mark.parametrize("name", sorted({name for name, _ in PRESETS}))
def test_every_config_says_how_it_is_run_and_what_to_expect(name):
  text = (CONFIGS / f"{name}.py").read_text(encoding="utf-8")
  docstring = ast.get_docstring(ast.parse(text))
  assert f"\npython -m byol_jax.main --config=configs/{name}.py" in docstring
  assert "ime and score" in " ".join(docstring.split())


def test_every_config_file_is_tested():
  files = {path.stem for path in CONFIGS.glob("[!_]*.py")}
  assert files == {name for name, _ in PRESETS}


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_every_number_has_its_final_type(name, preset):
  """An override keeps the type, so 10 in place of 10.0 would forbid 0.5."""
  floats = {
    key for key, rule in schema.RULES.items() if rule.types == (int, float)
  }
  leaves = _flatten(_load(name, preset))
  assert floats
  assert {key for key in floats if type(leaves[key]) is not float} == set()


def test_views_have_the_fields_of_a_policy():
  keys = {key for key in schema.RULES if key.startswith("augment.view2.")}
  assert keys == {f"augment.view2.{field}" for field in policies.Policy._fields}


def test_named_sets_are_those_of_the_augmentations():
  rule = schema.RULES["augment.set"]
  assert len(sets.SETS) == 14
  assert rule.allowed == f"one of {', '.join(sets.SETS)}"
  assert all(rule.holds(name) for name in sets.SETS)


WRONG = [
  ("seed", -1, "seed must be an integer from 0 up, not -1."),
  ("seed", True, "seed must be an integer from 0 up, not True."),
  ("seed", 1.0, "seed must be an integer from 0 up, not 1.0."),
  (
    "data__source",
    "imagenet",
    "data.source must be one of tfds, folder, photo_patches, not 'imagenet'.",
  ),
  (
    "seed",
    2**31,
    "seed has 2147483648; nothing may be larger than 2,147,483,647.",
  ),
  (
    "objective__temperature",
    1e-40,
    "objective.temperature has 1e-40; nothing but 0 may be smaller than 1e-30.",
  ),
  (
    "augment__view1__crop_ratio",
    (10**400, 1),
    "augment.view1.crop_ratio has 100000",
  ),
  (
    "training__num_epochs",
    1e31,
    "training.num_epochs has 1e+31; nothing may be larger than 1e+30.",
  ),
  (
    "data__views",
    1000 * "x",
    f"data.views must be one of host, device, memory, not '{57 * 'x'}...",
  ),
  ("data__labelled", 1, "data.labelled must be True or False, not 1."),
  (
    "data__image_px",
    7,
    "data.image_px must be an integer from 8 to 4096, not 7.",
  ),
  (
    "optimizer__base_learning_rate",
    -0.5,
    "optimizer.base_learning_rate must be a number from 0 up, not -0.5.",
  ),
  (
    "optimizer__base_learning_rate",
    float("inf"),
    "optimizer.base_learning_rate must be a number from 0 up, not inf.",
  ),
  (
    "optimizer__weight_decay",
    float("nan"),
    "optimizer.weight_decay must be a number from 0 up, not nan.",
  ),
  (
    "optimizer__momentum",
    1.0,
    "optimizer.momentum must be a number in [0, 1), not 1.0.",
  ),
  (
    "target__base_decay",
    1.5,
    "target.base_decay must be a number in [0, 1], not 1.5.",
  ),
  (
    "training__num_epochs",
    0.0,
    "training.num_epochs must be a number above 0, not 0.0.",
  ),
  (
    "training__num_epochs",
    "10",
    "training.num_epochs must be a number above 0, not '10'.",
  ),
  (
    "augment__view1__crop_area",
    (0.5, 0.2),
    "augment.view1.crop_area must be 2 numbers in (0, 1] in rising order, "
    "not (0.5, 0.2).",
  ),
  (
    "augment__view2__solarize",
    1.1,
    "augment.view2.solarize must be a number in [0, 1], not 1.1.",
  ),
  (
    "network__std_rgb",
    (0.2, 0.0, 0.2),
    "network.std_rgb must be 3 numbers in (0, 1], not (0.2, 0.0, 0.2).",
  ),
  (
    "network__projector_hidden",
    (64, 0),
    "network.projector_hidden must be a tuple of positive integers such as "
    "(4096,), not (64, 0).",
  ),
]


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG)
def test_wrong_value_is_named_with_what_is_allowed(name, value, sentence):
  assert _message(**{name: value}).startswith(sentence)


def test_a_protocol_that_is_no_text_is_refused():
  with pytest.raises(ValueError, match="protocol must be one of knn"):
    schema.of(["knn"])


def test_unknown_encoder_lists_the_known():
  message = _message(network__encoder="resnet51")
  assert message.startswith("network.encoder must be one of resnet18, ")
  assert message.endswith(", not 'resnet51'.")


def test_unknown_key_is_named_with_the_closest():
  assert _message(training__batchsize=8) == (
    "The config has an unknown key training.batchsize; the closest key is "
    "training.batch_size."
  )


def test_missing_key_is_named():
  config = _load("cpu")
  with config.unlocked():
    del config.checkpoint.keep
  sentence = "The config lacks checkpoint.keep, which is an integer from 1 up."
  with pytest.raises(ValueError, match=sentence):
    config_lib.validate(config, 2)


def test_integer_is_accepted_where_a_float_is_wanted():
  config_lib.validate(_cpu_with(training__num_epochs=30), 2)


CONTRADICTIONS = [
  (
    {"training__batch_size": 100, "num_devices": 8},
    "training.batch_size=100 cannot be divided by 8 devices x 1 micro-batches.",
  ),
  (
    {"training__batch_size": 8, "training__micro_batches": 3},
    "training.batch_size=8 cannot be divided by 2 devices x 3 micro-batches.",
  ),
  (
    {"evaluation__batch_size": 9},
    "evaluation.batch_size=9 cannot be divided by 2 devices.",
  ),
  (
    {"training__warmup_epochs": 3.0, "training__num_epochs": 3.0},
    "training.warmup_epochs=3 must be less than training.num_epochs=3.",
  ),
  (
    {"evaluation__knn_images": 10},
    "evaluation.knn_images=10 must be 0 or at least "
    "evaluation.knn_neighbours=20.",
  ),
  (
    {"network__stem": "imagenet", "data__image_px": 24},
    "data.image_px=24 is too small for network.stem=imagenet, which needs 32 "
    "or more; cifar is the stem for less.",
  ),
  (
    {"data__source": "tfds"},
    "data.source=tfds needs data.tfds_name, which is empty.",
  ),
  (
    {"data__source": "folder"},
    "data.source=folder needs data.train_path, which is empty.",
  ),
  (
    {"data__source": "folder", "data__train_path": "no/such"},
    "data.train_path=no/such does not exist.",
  ),
  (
    {"training__num_epochs": 5.0, "training__schedule_epochs": 4.0},
    "training.schedule_epochs=4 must be 0 or at least training.num_epochs=5: "
    "the rate would be 0 at the end.",
  ),
  (
    {"objective__negative_weight": 0.5, "objective__normalization": "batch"},
    "objective.normalization=batch goes with objective.negative_weight=0 only,"
    " not 0.5: negatives are compared by cosines.",
  ),
  (
    {"objective__negatives": "queue"},
    "objective.negatives=queue needs objective.negative_weight above 0: the "
    "queue would never be used.",
  ),
  (
    {
      "objective__negatives": "queue",
      "objective__negative_weight": 1.0,
      "target__kind": "online",
    },
    "objective.negatives=queue does not go with target.kind=online: no "
    "gradient reaches earlier projections.",
  ),
  (
    {
      "objective__negatives": "queue",
      "objective__negative_weight": 1.0,
      "objective__queue_size": 384,
    },
    "objective.queue_size=384 must be a multiple of the 256 projections that a "
    "step adds.",
  ),
  (
    {"network__predictor": "none", "optimizer__predictor_multiplier": 2.0},
    "optimizer.predictor_multiplier=2 needs network.predictor=mlp: none has "
    "nothing to train.",
  ),
  (
    {"network__predictor": "least_squares", "training__micro_batches": 4},
    "network.predictor=least_squares needs at least network.projection_dim=64 "
    "pictures in a part of the batch, not 32.",
  ),
  (
    {"network__predictor_norm": "group", "network__predictor_hidden": (40,)},
    "network.norm_groups=16 cannot divide the 40 channels of a group norm.",
  ),
  (
    {"network__predictor_norm": "group", "network__norm_groups": 256},
    "network.norm_groups=256 leaves groups of one number in a head, of which a "
    "group norm makes zeros.",
  ),
  (
    {
      "network__encoder_norm": "none",
      "network__weight_standardization": True,
    },
    "network.weight_standardization=True does not go with "
    "network.encoder_norm=none: it needs a norm there.",
  ),
  (
    {"network__projector_norm": "none", "network__projector_output_norm": True},
    "network.projector_output_norm=True does not go with "
    "network.projector_norm=none: it needs a norm there.",
  ),
  ({"init_from": "no/such"}, "init_from=no/such does not exist."),
  ({"init_from": "no\0name"}, "init_from=no\0name does not exist."),
  (
    {"init_from": "s3://runs/cpu"},
    "init_from=s3://runs/cpu cannot be read: name a local path, not one of "
    "s3://.",
  ),
  (
    {"data__train_path": "pictures"},
    "data.train_path=pictures is for data.source=folder, not photo_patches.",
  ),
]


@pytest.mark.parametrize(("changes", "sentence"), CONTRADICTIONS)
def test_contradiction_is_one_sentence(changes, sentence):
  assert _message(**changes) == sentence


def test_missing_test_path_is_named(tmp_path):
  message = _message(
    data__source="folder",
    data__train_path=str(tmp_path),
    data__test_path="no/such",
  )
  assert message == "data.test_path=no/such does not exist."


def test_test_path_may_be_empty(tmp_path):
  config = _cpu_with(data__source="folder", data__train_path=str(tmp_path))
  config_lib.validate(config, 2)
