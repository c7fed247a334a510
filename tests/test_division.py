"""How much of a dense task's data can be held out."""

import pytest

from byol_jax.data import problems
from byol_jax.dense import division, segmentation
from tests import tiny_dense


@pytest.mark.parametrize("count", [6, 500])
def test_holding_out_all_pictures_is_refused(tmp_path, count):
  tiny_dense.write(tmp_path)
  config = tiny_dense.config(
    tmp_path,
    data__hold_out_images=count,
    optimizer__learning_rates=(0.1, 0.2),
  )
  match = f"data.hold_out_images={count} of 6 training pictures leaves none"
  with pytest.raises(problems.DataError, match=match):
    division.open_parts(config, segmentation)


@pytest.mark.parametrize(("count", "warnings"), [(0, 0), (2, 1)])
def test_what_is_held_out_for_nothing_is_said(
  tmp_path, caplog, count, warnings
):
  tiny_dense.write(tmp_path)
  config = tiny_dense.config(tmp_path, data__hold_out_images=count)
  parts = division.open_parts(config, segmentation)
  assert (parts.valid, parts.train.num_images) == (None, 6)
  said = [record.getMessage() for record in caplog.records]
  assert len(said) == warnings
  assert all("hold_out_images=2 holds nothing out" in text for text in said)
