"""A dense task's run: what is refused at once, and what is done again."""

import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from byol_jax import checkpoint, loop, schema_dense, workdirs
from byol_jax.data import problems
from byol_jax.dense import choosing, division, keys, runs, training
from tests import tiny_dense


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  root = tmp_path_factory.mktemp("pairs")
  tiny_dense.write(root)
  return root


def _said(root, workdir="work", **changes):
  encoder, config = runs.find(tiny_dense.config(root, **changes))
  return runs.describe(config, encoder, str(workdir))


def test_a_dry_run_says_what_would_be_done(root):
  said = _said(root)
  assert "6 train, 6 test" in said
  assert "4 steps of 4 pictures at the learning rate 0.1" in said
  several = {
    "optimizer__learning_rates": (0.1, 0.2),
    "data__hold_out_images": 2,
  }
  said = _said(root, **several)
  assert "4 train, 2 valid, 6 test" in said
  assert "at each of the learning rates 0.1, 0.2, then with the best" in said


@pytest.mark.parametrize(
  ("changes", "match"),
  [
    ({"training__batch_size": 8}, "has 6 images, fewer than one batch of 8"),
    (
      {
        "training__batch_size": 6,
        "data__hold_out_images": 2,
        "optimizer__learning_rates": (0.1, 0.2),
      },
      "has 4 images",
    ),
    ({"data__images_folder": "pictures"}, "no pictures are below 'pictures'"),
  ],
)
def test_a_dry_run_refuses_what_could_not_be_done(root, changes, match):
  with pytest.raises(problems.DataError, match=match):
    _said(root, **changes)


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_dry_run_reads_of_each_part(tmp_path, part):
  tiny_dense.write(tmp_path)
  (tmp_path / part / "masks/0.png").write_bytes(b"none")
  with pytest.raises(problems.DataError, match=r"masks/0.png cannot be decode"):
    _said(tmp_path)


def _forbid_training(monkeypatch):
  def begin(*args):
    raise AssertionError("It trains.")

  monkeypatch.setattr(loop, "_train", begin)


def _spoil(path, kind):
  """Replaces a mask of 8x8 pixels."""
  if kind == "bytes":
    path.write_bytes(b"none")
    return
  shape = {"size": (4, 8), "colours": (8, 8, 3), "class": (8, 8)}[kind]
  Image.fromarray(np.full(shape, 7, np.uint8)).save(path)


@pytest.mark.parametrize(
  ("kind", "match"),
  [
    ("bytes", r"masks/5\.png cannot be decoded"),
    ("size", r"masks/5\.png has 8x4 pixels, and its picture has 8x8"),
    ("colours", "a mask of mode RGB"),
    ("class", r"images/5\.png has the class 7"),
  ],
)
def test_a_wrong_mask_of_the_test_is_found_before_the_training(
  tmp_path, monkeypatch, kind, match
):
  tiny_dense.write(tmp_path)
  _spoil(tmp_path / "test/masks/5.png", kind)
  with pytest.raises(problems.DataError, match=match):
    _said(tmp_path)
  _forbid_training(monkeypatch)
  with pytest.raises(problems.DataError, match=match):
    tiny_dense.run(tmp_path, tmp_path / "work")


def test_a_wrong_mask_that_is_held_out_is_found(tmp_path):
  tiny_dense.write(tmp_path)
  changes = {
    "optimizer__learning_rates": (0.1, 0.2),
    "data__hold_out_images": 2,
  }
  config = tiny_dense.config(tmp_path, **changes)
  held = division.open_parts(config, runs.TASKS["segmentation"]).valid.name(1)
  name = held.replace("images", "masks")
  _spoil(tmp_path / "train" / name, "size")
  with pytest.raises(problems.DataError, match=f"{name} has 8x4 pixels"):
    _said(tmp_path, **changes)


SHORT = {"training__num_steps": 2}


@pytest.fixture(scope="module")
def made(root, tmp_path_factory):
  """A finished run of two steps."""
  workdir = tmp_path_factory.mktemp("made")
  return workdir, tiny_dense.run(root, workdir, **SHORT)


def test_a_finished_training_is_tested_again(made, root, monkeypatch):
  workdir, first = made
  _forbid_training(monkeypatch)
  changes = {
    "data__test_path": str(root / "train"),
    "segmentation__test_px": (16, 16),
  }
  again = tiny_dense.run(root, workdir, **SHORT, **changes)
  assert again["key"] != first["key"]
  assert again["scores"] != first["scores"]
  assert again["checkpoint"] == first["checkpoint"]


def test_a_dry_run_says_what_the_workdir_has(made, root, tmp_path):
  workdir, result = made
  assert "finished, its result is there" in _said(root, workdir, **SHORT)
  other = {"segmentation__test_px": (16, 16)}
  shutil.copytree(
    workdir / result["checkpoint"], tmp_path / result["checkpoint"]
  )
  assert "continues at step 2" in _said(root, tmp_path, **SHORT, **other)
  assert "nothing of this run" in _said(root, tmp_path)


def test_a_dry_run_tells_an_encoder_of_tiny_pictures(root):
  text = _said(root)
  assert "one_conv, stride 1\n" in text
  assert "are 1 pixels apart, as for tiny pictures" in text
  network = {"network__encoder": "resnet8", "network__stem": "imagenet"}
  text = _said(root, **network)
  assert "resnet8, stride 16\n" in text
  assert "tiny pictures" not in text


def test_a_dry_run_counts_the_parameters(root, made):
  workdir, result = made
  state, _ = checkpoint.load_params(str(workdir / result["checkpoint"]))
  trees = [state[part]["params"] for part in ("encoder", "head")]
  count = sum(leaf.size for leaf in jax.tree.leaves(trees))
  assert f"parameters  {count:,}\n" in _said(root)


def test_the_encoders_folder_is_refused(made, root):
  workdir, _ = made
  with pytest.raises(workdirs.WorkdirError, match="is the encoder's own folde"):
    tiny_dense.run(root, f"{workdir}/", encoder=str(workdir), **SHORT)


def _keys(root, **changes):
  encoder, config = runs.find(tiny_dense.config(root, **changes))
  parts = division.open_parts(config, runs.TASKS[config.protocol])
  return keys.of(config, encoder, parts)


@pytest.mark.parametrize(
  ("changes", "differ"),
  [
    ({"evaluation__batch_size": 4}, ()),
    ({"evaluation__every_steps": 1}, ()),
    ({"log_every": 9, "checkpoint__keep": 1}, ()),
    ({"evaluation__pictures": 3}, ("result",)),
    ({"segmentation__test_px": (16, 16)}, ("result",)),
    ({"data__test_prefix": "test"}, ("result",)),
    ({"segmentation__crop_px": (16, 16)}, ("result", "training")),
    ({"training__num_steps": 5}, ("result", "training")),
    ({"seed": 1}, ("result", "training")),
  ],
)
def test_settings_make_another_training_or_result(root, changes, differ):
  # So that a prefix can be given in more than one way.
  base = {"data__test_path": str(root), "data__test_prefix": "test/"}
  found, other = _keys(root, **base), _keys(root, **{**base, **changes})
  names = found._fields
  assert {x for x in names if getattr(found, x) != getattr(other, x)} == set(
    differ
  )


def test_a_choice_of_the_rate_depends_on_the_tests_settings(root):
  several = {
    "optimizer__learning_rates": (0.1, 0.2),
    "data__hold_out_images": 2,
  }
  first, larger = (
    _keys(root, **several, segmentation__test_px=(px, px)) for px in (8, 16)
  )
  assert first.training != larger.training
  elsewhere = _keys(root, **several, data__test_path=str(root / "train"))
  assert first.training == elsewhere.training


@pytest.mark.parametrize("task", schema_dense.TASKS)
def test_settings_of_the_test_are_settings_of_the_task(task):
  assert schema_dense.ONLY_TEST[task] <= set(schema_dense.TASKS[task])


def test_the_chosen_rate_is_trained_on_everything(monkeypatch, tmp_path):
  seen = []
  chosen = {"learning_rate": 0.2, "valid_score": 0.5}
  monkeypatch.setattr(choosing, "choose", lambda *args: (chosen, [chosen]))
  monkeypatch.setattr(training, "train", lambda run, *args: seen.append(args))
  tiny_dense.write(tmp_path, count=1)
  config = tiny_dense.config(tmp_path)
  parts = division.Parts("train", "valid", "everything", "test")
  run = training.Run(config, None, None)
  _, choice = runs._trained(run, parts, "folder")
  whole = training.Data("everything", None)
  assert seen == [(whole, 0.2, "folder/train")]
  assert choice["chosen"] == {"steps": 4, **chosen}
