import contextlib
import json

import jax
import numpy as np
import pytest

from byol_jax import evaluate, labelled
from byol_jax.evaluation import linear_classifier, subject
from tests import tiny_eval

CLASSIFIER = linear_classifier.LinearClassifier(
  w=np.arange(6, dtype=np.float32).reshape(3, 2),
  b=np.array([0.5, -1.0], np.float32),
  class_names=("cat", "dög"),
  encoder="0123456789ab",
)


@pytest.fixture
def workdir(tmp_path):
  linear_classifier.write(CLASSIFIER, str(tmp_path / "key"))
  result = {"classifier": f"key/{linear_classifier.FILE}"}
  (tmp_path / "results.json").write_text(json.dumps(result))
  return tmp_path


def test_what_was_written_is_read(workdir):
  found = linear_classifier.read(str(workdir))
  jax.tree.map(np.testing.assert_array_equal, found, CLASSIFIER)
  assert found.w.dtype == np.float32
  assert [x.name for x in (workdir / "key").iterdir()] == ["classifier.npz"]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_file_is_named(workdir, share):
  path = workdir / "key" / linear_classifier.FILE
  content = path.read_bytes()
  path.write_bytes(content[: int(share * len(content))])
  with pytest.raises(ValueError, match=r"classifier.npz is missing or damaged"):
    linear_classifier.read(str(workdir))


@pytest.mark.parametrize("seed", range(200))
def test_bytes_that_changed_are_no_traceback(workdir, seed):
  path = workdir / "key" / linear_classifier.FILE
  content = bytearray(path.read_bytes())
  rng = np.random.default_rng(seed)
  for place in rng.integers(len(content), size=3):
    content[place] ^= rng.integers(1, 256)
  path.write_bytes(content)
  with contextlib.suppress(ValueError):  # The one sentence.
    assert linear_classifier.read(str(workdir)).w.shape == (3, 2)


@pytest.mark.parametrize(
  "changes",
  [
    {"w": np.array("text")},
    {"b": np.zeros(3, np.float32)},
    {"class_names": np.array("cat")},
    {"w": np.zeros((3, 2))},
  ],
)
def test_other_arrays_are_named(workdir, changes):
  path = workdir / "key" / linear_classifier.FILE
  np.savez(path, **{**CLASSIFIER._asdict(), **changes})
  with pytest.raises(ValueError, match=r"classifier.npz is missing or damaged"):
    linear_classifier.read(str(workdir))


def test_an_array_in_its_place_is_named(workdir):
  with open(workdir / "key" / linear_classifier.FILE, "wb") as file:
    np.save(file, CLASSIFIER.w)
  with pytest.raises(ValueError, match=r"classifier.npz is missing or damaged"):
    linear_classifier.read(str(workdir))


@pytest.mark.parametrize("result", [None, {"scores": {}}])
def test_an_evaluation_without_one_is_named(tmp_path, result):
  if result:
    (tmp_path / "results.json").write_text(json.dumps(result))
  with pytest.raises(ValueError, match=r"holds no classifier"):
    linear_classifier.read(str(tmp_path))


@pytest.mark.parametrize(
  ("name", "changes"),
  [
    ("logistic", {"logistic.num_strengths": 3}),
    ("linear", {"augment.kind": "none"}),
  ],
)
def test_it_scores_what_the_result_says(tmp_path, name, changes):
  tiny_eval.save_encoder(tmp_path / "run")
  config = tiny_eval.config(name, tmp_path / "run", changes=changes)
  encoder, config = evaluate.find(config)
  (result,) = evaluate.run(config, encoder, str(tmp_path / "out"), name)
  found = linear_classifier.read(str(tmp_path / "out"))
  parts = labelled.open_parts(config.data, "", config.seed)
  tested = subject.prepare(config, encoder, parts)
  test = subject.represent(tested, parts.test)
  guesses = np.argmax(test.representation @ found.w + found.b, axis=1)
  top1 = np.mean(guesses == test.labels)
  np.testing.assert_allclose(top1, result["scores"]["top1"], atol=2e-3)
  assert top1 > 0.2
  assert found.class_names == tuple(parts.class_names)
  assert found.encoder == result["encoder"]["weights"]
