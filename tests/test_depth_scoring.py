"""Scores and pictures of depth, of predictions that are known."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from byol_jax.data import annotated
from byol_jax.dense import depth_scoring
from tests import tiny_depth


def _ramp():
  """A source of one picture, 60 by 80, and what predicts it."""
  truth = np.tile(np.arange(1.0, 81.0, dtype=np.float32), (60, 1))
  image = np.zeros((60, 80, 3), np.uint8)
  return annotated.AnnotatedSource(
    3, (), lambda position: (image, truth), lambda position: f"{position}.png"
  )


def _predict(factor):
  """Knows the part of the ramp that lies inside of a crop of 9 in 10."""

  def predict(variables, images):
    columns = np.linspace(4.5, 76.5, 145).astype(np.float32)
    middle = (columns[1:] + columns[:-1]) / 2 * factor
    return jnp.asarray(np.tile(middle, (*images.shape[:2], 108, 1)))

  return predict


@pytest.mark.parametrize(("factor", "scale"), [(1.0, 1.0), (7.0, 0.0)])
def test_a_perfect_prediction_is_perfect_at_the_truths_size(factor, scale):
  config = tiny_depth.config(
    **{
      "data.depth_scale": scale,
      "depth.resized_px": (60, 80),
      "depth.image_px": (54, 72),
    }
  )
  found = depth_scoring.evaluate(config, _predict(factor), {}, _ramp())
  assert found["delta1"] == 1.0
  assert found["rel"] < 0.005
  assert found["rms"] < 0.1


def test_a_wrong_scale_counts_where_depth_is_in_metres():
  config = tiny_depth.config(
    **{
      "data.depth_scale": 1.0,
      "depth.resized_px": (60, 80),
      "depth.image_px": (54, 72),
    }
  )
  found = depth_scoring.evaluate(config, _predict(1.5), {}, _ramp())
  assert found["rel"] == pytest.approx(0.5, abs=0.01)
  assert (found["delta1"], found["delta2"]) == (0.0, 1.0)


def test_a_picture_that_fills_up_a_batch_is_not_scored():
  """The first of three pictures, which is wrong, fills the second batch."""
  ramp, known = _ramp(), _predict(1.0)

  def read(position):
    image, truth = ramp.read(position)
    return image + np.uint8(position == 0), truth

  def predict(variables, images):
    wrong = (images.max((2, 3, 4), keepdims=True) > 0)[..., 0]
    return known(variables, images) * np.where(wrong, 10.0, 1.0)

  config = tiny_depth.config(
    **{
      "data.depth_scale": 1.0,
      "depth.resized_px": (60, 80),
      "depth.image_px": (54, 72),
    }
  )
  source = ramp._replace(read=read)
  found = depth_scoring.evaluate(config, predict, {}, source)
  assert found["delta3"] == pytest.approx(2 / 3)


def test_overlays_are_one_png_for_each_of_the_first_pictures(tmp_path):
  config = tiny_depth.config(**{"evaluation.pictures": 2})
  folder = tmp_path / "overlays"
  depth_scoring.draw(config, _predict(1.0), {}, _ramp(), str(folder))
  files = sorted(folder.iterdir())
  assert [file.name for file in files] == ["000_0.png", "001_1.png"]
  with Image.open(files[0]) as image:
    assert image.format == "PNG"
