"""Evaluations from config to results.json, on photo patches."""

import json

import numpy as np
import pytest
from PIL import Image

from byol_jax import checkpoint, encoders, evaluate
from byol_jax import config as config_lib
from byol_jax.evaluation import classifier, results, subject
from tests import tiny_eval


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
def test_linear_evaluation_chooses_on_valid(encoder, tmp_path, kind):
  config = tiny_eval.config("linear", encoder, changes={"augment.kind": kind})
  (result,) = _run(config, tmp_path)
  candidates = result["candidates"]
  assert [row["learning_rate"] for row in candidates] == [0.5, 0.1]
  best = max(candidates, key=lambda row: row["valid_score"])
  assert result["chosen"] == best
  assert result["scores"]["top1"] > 0.2
  if kind == "view":
    before, after = (
      encoders.open_encoder(str(path)).variables
      for path in (encoder, result["checkpoint"])
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
  made = encoders.open_encoder(result["checkpoint"])
  assert (made.spec.encoder, made.image_px) == ("one_conv", 8)


def test_fine_tuning_sweeps_refits_and_resumes(encoder, tmp_path, monkeypatch):
  config = tiny_eval.config(
    "finetune", encoder, changes={"training.refit": True}
  )
  trained = []
  train = classifier.train

  def counted(trainer, point, split, valid, workdir):
    trained.append(workdir)
    if len(trained) == 2:
      raise KeyboardInterrupt
    return train(trainer, point, split, valid, workdir)

  monkeypatch.setattr(classifier, "train", counted)
  with pytest.raises(KeyboardInterrupt):
    _run(config, tmp_path)
  (result,) = _run(config, tmp_path)
  # The first point was done; the second and the last fit were left.
  assert [place.rpartition("/")[2][:8] for place in trained] == [
    *("rate_0.5", "rate_0.1", "rate_0.1", "refit"),
  ]
  assert len(result["candidates"]) == 2
  tuned = encoders.open_encoder(result["checkpoint"])
  before = encoders.open_encoder(str(encoder))
  assert tuned.spec == before.spec
  assert encoders.fingerprint(tuned.variables) != encoders.fingerprint(
    before.variables
  )
  again = _run(config, tmp_path)
  assert again == [json.loads(json.dumps(result))]
  assert len(trained) == 4


def _save_pictures(folder):
  """Sixteen pictures to train on and eight to test, of two classes."""
  pictures = np.random.default_rng(0).integers(0, 256, (24, 9, 9, 3), np.uint8)
  for number, picture in enumerate(pictures):
    part = "test" if number % 3 == 0 else "train"
    place = folder / part / f"class{number % 2}"
    place.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(place / f"{number}.png")


def test_a_sweep_over_sets_names_what_is_missing(encoder, tmp_path, capsys):
  pictures = np.random.default_rng(0).integers(0, 256, (24, 9, 9, 3), np.uint8)
  for number, picture in enumerate(pictures):
    part = "test" if number % 3 == 0 else "train"
    place = tmp_path / "sets" / "cars" / part / f"class{number % 2}"
    place.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(place / f"{number}.png")
  config = tiny_eval.config(
    "knn",
    encoder,
    changes={
      "data.source": "set",
      "data.sets": ("birdsnap", "cars"),
      "data.sets_root": str(tmp_path / "sets"),
      "knn.neighbours": (3,),
    },
  )
  (result,) = _run(config, tmp_path / "out")
  assert result["set"] == "cars"
  assert _written(tmp_path / "out" / "cars")["sizes"]["test"] == 8
  out, err = capsys.readouterr()
  assert "birdsnap" in err
  assert "Missing: birdsnap" in out


def test_data_that_is_missing_is_one_sentence(encoder, tmp_path):
  config = tiny_eval.config(
    "knn",
    encoder,
    changes={"data.source": "set", "data.sets": ("birdsnap",)},
  )
  with pytest.raises(evaluate.DataError, match="TFDS does not have birdsnap"):
    _run(config, tmp_path)


def test_results_are_told_apart_by_what_matters(encoder):
  config = tiny_eval.config("linear", encoder)
  found = subject.find(config)
  key = results.key(config, found, [3])
  assert key == results.key(config, found._replace(name="other path"), [3])
  assert key != results.key(config, found, [4])
  assert key != results.key(
    tiny_eval.config("linear", encoder, changes={"seed": 1}), found, [3]
  )
  other = found.variables._replace(params={"x": {"w": np.ones(3)}})
  assert key != results.key(config, found._replace(variables=other), [3])


@pytest.mark.parametrize(
  ("path", "workdir"),
  [
    ("runs/x", "runs/x/eval/knn"),
    ("runs/x/checkpoints/", "runs/x/eval/knn"),
    ("runs/x/checkpoints/12", "runs/x/eval/knn"),
    ("random", "runs/eval/knn_random"),
  ],
)
def test_results_lie_beside_the_run(encoder, path, workdir):
  config = tiny_eval.config("knn", path)
  assert evaluate.default_workdir(config, "knn") == workdir


def test_a_folder_without_an_encoder_is_refused(tmp_path):
  with pytest.raises(checkpoint.CheckpointError, match="no finished"):
    subject.find(tiny_eval.config("knn", tmp_path))


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
  ],
)
def test_settings_that_do_not_fit_are_refused(encoder, name, changes, message):
  config = tiny_eval.config(name, encoder, changes=changes)
  with pytest.raises(ValueError, match=message):
    config_lib.validate(config, num_devices=1)
