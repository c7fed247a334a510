"""Types that more than one module speaks of."""

from collections.abc import Mapping
from typing import NamedTuple

import chex

# One step's pictures: `view1` and `view2` (training) or `images` (evaluation),
# NHWC, with `labels` int32 where there are any, and `index`, the position of
# each picture in its data set.
Batch = Mapping[str, chex.Array]

# Named numbers of one step: scalars on the device until somebody logs them.
Metrics = Mapping[str, chex.Array]


class Variables(NamedTuple):
  """What one network owns.

  Attributes:
    params: weights, Haiku's two-level dict (module name, parameter name).
    stats: batch-norm averages, Haiku's two-level dict beside them.
  """

  params: chex.ArrayTree
  stats: chex.ArrayTree
