"""A tiny set like NYU Depth v2, prepared by TFDS."""

import numpy as np
import pytest
import tensorflow_datasets as tfds
from test_tfds_source import Words, prepare

from byol_jax.data import tfds_depth


class Rooms(tfds.core.GeneratorBasedBuilder):
  """Two pictures, 40 times their number bright and their number far."""

  VERSION = tfds.core.Version("1.0.0")

  def _info(self):
    features = {
      "image": tfds.features.Image(shape=(4, 6, 3)),
      "depth": tfds.features.Tensor(shape=(4, 6), dtype=np.float16),
    }
    return tfds.core.DatasetInfo(
      builder=self, features=tfds.features.FeaturesDict(features)
    )

  def _split_generators(self, manager):
    return {"train": self._generate_examples()}

  def _generate_examples(self):
    for number in (1, 2):
      example = {
        "image": np.full((4, 6, 3), 40 * number, np.uint8),
        "depth": np.full((4, 6), number, np.float16),
      }
      yield number, example


def test_pictures_come_with_their_depth_in_metres(tmp_path):
  data_dir = prepare(Rooms, tmp_path, "array_record", num_shards=1)
  source = tfds_depth.open_depth("rooms", "train", data_dir, 0.5)
  assert source.num_images == 2
  pairs = [source.read(position) for position in range(2)]
  for image, depth in pairs:
    assert (image.shape, image.dtype) == ((4, 6, 3), np.uint8)
    assert (depth.shape, depth.dtype) == ((4, 6), np.float32)
    np.testing.assert_array_equal(depth, 0.5 * image[..., 0] / 40)
  assert sorted(depth[0, 0] for _, depth in pairs) == [0.5, 1.0]


@pytest.mark.parametrize(
  ("builder", "file_format", "message"),
  [
    (Words, "array_record", "has no image and depth: its features are"),
    (Rooms, "tfrecord", "file_format='array_record'"),
  ],
)
def test_sets_without_depth_or_random_access_are_refused(
  tmp_path, builder, file_format, message
):
  data_dir = prepare(builder, tmp_path, file_format, num_shards=1)
  with pytest.raises(ValueError, match=message):
    tfds_depth.open_depth(builder.__name__.lower(), "train", data_dir, 1.0)
