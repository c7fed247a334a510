"""Boxes of a picture on the host: what was found in it, and what there is."""

from typing import NamedTuple

import numpy as np


class Found(NamedTuple):
  """What was detected in one picture.

  Attributes:
    boxes: [n, 4] ymin, xmin, ymax, xmax in pixels.
    classes: [n] int from 0.
    scores: [n] higher for more certain.
  """

  boxes: np.ndarray
  classes: np.ndarray
  scores: np.ndarray


class Objects(NamedTuple):
  """What there is in one picture.

  Attributes:
    boxes: [m, 4] as in `Found`.
    classes: [m] int from 0.
    difficult: [m] bool, neither to be found nor wrong to find; COCO's crowds.
  """

  boxes: np.ndarray
  classes: np.ndarray
  difficult: np.ndarray
