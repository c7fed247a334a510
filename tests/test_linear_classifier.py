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
