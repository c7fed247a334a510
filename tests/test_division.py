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
