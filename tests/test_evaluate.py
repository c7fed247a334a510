"""Evaluations from config to results.json, on photo patches."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from byol_jax import checkpoint, encoders, evaluate, labelled
from byol_jax import config as config_lib
from byol_jax.data import problems, sources
from byol_jax.evaluation import classifier, subject
from tests import tiny, tiny_eval


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("run")
  tiny_eval.save_encoder(workdir)
  return workdir


def _run(config, workdir):
  config_lib.validate(config, num_devices=2)
  found, config = evaluate.find(config)
  return evaluate.run(config, found, str(workdir), "name")


def _written(workdir):
  return json.loads((workdir / "results.json").read_text())


def test_knn_scores_every_number_of_neighbours(encoder, tmp_path, capsys):
  config = tiny_eval.config("knn", encoder, changes={"knn.neighbours": (1, 20)})
  (result,) = _run(config, tmp_path)
  assert _written(tmp_path) == json.loads(json.dumps(result))
  assert {"top1_k1", "top1_k20", "top5_k20"} <= set(result["scores"])
  assert 0.2 < result["scores"]["top1_k20"] < 1
  assert result["encoder"]["image_px"] == 8
  assert result["config"]["network"]["encoder"] == "one_conv"
  line = capsys.readouterr().out.splitlines()[0]
  assert f"{100 * result['scores']['top1_k20']:.1f} %" in line


def test_pixels_and_random_take_size_and_shape_from_like(encoder, tmp_path):
  for kind in ("pixels", "random"):
    config = tiny_eval.config("knn", kind, changes={"like": str(encoder)})
    (result,) = _run(config, tmp_path / kind)
    assert result["encoder"]["image_px"] == 8
    assert result["scores"]["top1_k20"] > 0.2


@pytest.mark.parametrize(
  ("changes", "px"),
  [({}, 224), ({"data.image_px": 12}, 12), ({"network.image_px": 96}, 96)],
)
def test_random_has_the_size_of_the_config(changes, px):
  found = subject.find(
    tiny_eval.config("supervised", "random", changes=changes)
  )
  assert (found.image_px, found.spec.encoder) == (px, "resnet50")


def test_another_size_may_be_shown(encoder):
  changes = {"like": str(encoder), "data.image_px": 12}
  found = subject.find(tiny_eval.config("knn", "random", changes=changes))
  assert (found.image_px, found.spec.encoder) == (12, "one_conv")


@pytest.mark.parametrize("kind", ["view", "none"])
def test_linear_evaluation_chooses_on_valid(
  encoder, tmp_path, monkeypatch, kind
):
  config = tiny_eval.config("linear", encoder, changes={"augment.kind": kind})
  scored, score = [], classifier.score

  def noted(trainer, state, split):
    scored.append(sources.size(split.source))
    return score(trainer, state, split)

  monkeypatch.setattr(classifier, "score", noted)
  (result,) = _run(config, tmp_path)
  candidates, sizes = result["candidates"], result["sizes"]
  assert len(set(sizes.values())) == 3
  # The validation part chooses; the test part is seen once, at the end.
  assert set(scored[:-1]) == {sizes["valid"]}
  assert scored[-1] == sizes["test"]
  assert [row["learning_rate"] for row in candidates] == [0.5, 0.1]
  assert result["chosen"] == max(candidates, key=lambda x: x["valid_score"])
  assert result["scores"]["top1"] > 0.2
  if kind == "view":
    before, after = (
      encoders.open_encoder(str(path)).variables for path in (encoder, tmp_path)
    )
    assert encoders.fingerprint(after) == encoders.fingerprint(before)


def test_supervised_training_makes_an_encoder(encoder, tmp_path):
  config = tiny_eval.config(
    "supervised",
    "random",
    changes={"like": str(encoder), "training.warmup_epochs": 0.1},
  )
  (result,) = _run(config, tmp_path)
  assert config.augment.randaugment_layers == 2
  assert (tmp_path / result["checkpoint"] / "checkpoints").is_dir()
  made = encoders.open_encoder(str(tmp_path))
  assert (made.spec.encoder, made.image_px) == ("one_conv", 8)


def test_fine_tuning_sweeps_refits_and_resumes(encoder, tmp_path, monkeypatch):
  config = tiny_eval.config(
    "finetune", encoder, changes={"training.refit": True}
  )
  trained, train = [], classifier.train

  def counted(trainer, point, split, valid, workdir):
    name = workdir.rpartition("/")[2].partition("_decay")[0]
    trained.append((name, sources.size(split.source)))
    if len(trained) == 2:
      raise KeyboardInterrupt
    return train(trainer, point, split, valid, workdir)

  monkeypatch.setattr(classifier, "train", counted)
  with pytest.raises(KeyboardInterrupt):
    _run(config, tmp_path)
  (result,) = _run(config, tmp_path)
  sizes = result["sizes"]
  # The first point was done; the second and the last fit were left.
  assert trained == [
    ("rate_0.5", sizes["train"]),
    ("rate_0.1", sizes["train"]),
    ("rate_0.1", sizes["train"]),
    ("refit", sizes["train"] + sizes["valid"]),
  ]
  kept = [path.parent.name for path in tmp_path.glob("*/*/checkpoints")]
  assert kept == ["refit"]
  before, tuned = (
    encoders.open_encoder(str(path)) for path in (encoder, tmp_path)
  )
  assert tuned.spec == before.spec
  weights = [encoders.fingerprint(x.variables) for x in (before, tuned)]
  assert weights[0] != weights[1]
  assert _run(config, tmp_path) == [json.loads(json.dumps(result))]
  assert len(trained) == 4


def test_a_point_that_diverges_is_a_result(encoder, tmp_path):
  rates = (1e30, 0.1)
  config = tiny_eval.config(
    "finetune", encoder, changes={"optimizer.learning_rates": rates}
  )
  (result,) = _run(config, tmp_path)
  assert [row["valid_score"] == "diverged" for row in result["candidates"]] == [
    *(True, False),
  ]
  assert result["chosen"]["learning_rate"] == 0.1
  kept = [path.parent.name for path in tmp_path.glob("*/*/checkpoints")]
  assert [name[:8] for name in kept] == ["rate_0.1"]


def _save_pictures(folder):
  """Sixteen pictures to train on and eight to test, of two classes."""
  pictures = np.random.default_rng(0).integers(0, 256, (24, 9, 9, 3), np.uint8)
  for number, picture in enumerate(pictures):
    part = "test" if number % 3 == 0 else "train"
    place = folder / part / f"class{number % 2}"
    place.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(place / f"{number}.png")


def test_a_sweep_over_sets_names_what_is_missing(encoder, tmp_path, capsys):
  root = tmp_path / "sets"
  _save_pictures(root / "cars")
  _save_pictures(root / "dtd")
  for picture in (root / "dtd" / "test").glob("*/*"):
    picture.write_bytes(picture.read_bytes()[:60])
  config = tiny_eval.config(
    "knn",
    encoder,
    changes={
      "data.source": "set",
      "data.sets": ("birdsnap", "dtd", "cars"),
      "data.sets_root": str(root),
      "data.corrupt": "unchecked",
      "knn.neighbours": (3,),
    },
  )
  (result,) = _run(config, tmp_path / "out")
  assert result["set"] == "cars"
  assert _written(tmp_path / "out" / "cars")["sizes"]["test"] == 8
  out, err = capsys.readouterr()
  for name in ("birdsnap", "dtd"):
    assert f"Left out: {name}" in err
    assert f"Missing: {name}" in out
  assert "k-nearest neighbours" in (tmp_path / "out" / "table.md").read_text()


def test_data_that_is_missing_is_one_sentence(encoder, tmp_path):
  config = tiny_eval.config(
    "knn",
    encoder,
    changes={"data.source": "set", "data.sets": ("birdsnap",)},
  )
  with pytest.raises(problems.DataError, match="TFDS does not have birdsnap"):
    _run(config, tmp_path)


def test_dry_run_says_what_would_be_done(encoder):
  changes = {"training.batch_size": 128, "training.num_epochs": (1.0, 2.0)}
  config = tiny_eval.config("finetune", encoder, changes=changes)
  found, config = evaluate.find(config)
  text = evaluate.describe(config, found, "runs/x")
  assert "step 0, 8 px" in text
  assert text.endswith("workdir  runs/x")
  (train,) = re.findall(r"([\d,]+) train,", text)
  train = int(train.replace(",", ""))
  steps = 2 * (train // 128 + 2 * train // 128)
  assert f"4 trainings of 1 classifiers, {steps:,} steps in all" in text


def test_pretraining_views_are_those_of_the_checkpoint(encoder):
  config = tiny_eval.config(
    "linear", encoder, changes={"augment.kind": "pretraining"}
  )
  found, config = evaluate.find(config)
  parts = labelled.open_parts(config.data, "", 0)
  (view,) = subject.prepare(config, found, parts).data.views.policies
  wanted = tiny.config().augment.view1
  assert view._asdict() == wanted.to_dict()
  assert view.jitter > 0
  named = found._replace(augment={**found.augment, "set": "no_color"})
  (plain,) = subject.prepare(config, named, parts).data.views.policies
  assert plain == view._replace(jitter=0.0, grayscale=0.0)
  unknown = found._replace(augment={})
  with pytest.raises(ValueError, match="needs an encoder that was pretrained"):
    subject.prepare(config, unknown, parts)


def test_an_earlier_result_is_the_newest_again(encoder, tmp_path, capsys):
  one, other = (
    tiny_eval.config("knn", encoder, changes={"knn.neighbours": (k,)})
    for k in (1, 3)
  )
  (first,) = _run(one, tmp_path)
  _run(other, tmp_path)
  assert _written(tmp_path)["key"] != first["key"]
  _run(one, tmp_path)
  assert _written(tmp_path)["key"] == first["key"]
  assert "Already there" in capsys.readouterr().out
  assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 2


def test_too_large_a_batch_is_refused_before_training(encoder, tmp_path):
  config = tiny_eval.config(
    "linear", encoder, changes={"training.batch_size": 10_000}
  )
  with pytest.raises(problems.DataError, match="fewer than one batch of 10000"):
    _run(config, tmp_path)


def test_a_folder_without_an_encoder_is_refused(tmp_path):
  with pytest.raises(checkpoint.CheckpointError, match="no finished"):
    subject.find(tiny_eval.config("knn", tmp_path))
