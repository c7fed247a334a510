"""A dense task's run: what is refused at once, and what is done again."""

import pytest

from byol_jax.data import problems
from byol_jax.dense import runs
from tests import tiny_dense


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  root = tmp_path_factory.mktemp("pairs")
  tiny_dense.write(root)
  return root


def _said(root, **changes):
  encoder, config = runs.find(tiny_dense.config(root, **changes))
  return runs.describe(config, encoder)


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
