"""What a dense task gives to the training that all of them share."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import chex
import numpy as np

from byol_jax.data import annotated
from byol_jax.networks import dense
from byol_jax.types import Batch, Metrics, Variables

# From variables, a device's share of a batch, a key and the norms' modes.
Loss = Callable[
  [Variables, Batch, chex.PRNGKey, dense.Modes],
  tuple[chex.Array, tuple[chex.ArrayTree, Metrics]],
]


class Tested(NamedTuple):
  """What a test of a network found.

  Attributes:
    scores: by name, shares or errors.
    classes: name of a score to its values by name of the class, for those
      classes that have one; {} where a task has no classes.
  """

  scores: Mapping[str, float]
  classes: Mapping[str, Mapping[str, float]] = MappingProxyType({})


class Task(NamedTuple):
  """One of the dense tasks, assembled from a config.

  Attributes:
    init: key to the variables of the whole network, the encoder's
      included, freshly drawn.
    loss: to the loss and (new stats, named scalars); pure, on one device.
    train_batches: (source, first step) to this host's batches, without end.
    evaluate: (replicated variables, source) to the scores, the same on every
      host.
    draw: (replicated variables, source, folder) writes pictures of what the
      network says beside the truth; called on every host.
    metric: the score that a result is known by and a sweep chooses by.
    higher_is_better: of that score.
    baseline: (training part, test part) to the scores that show whether a
      network has learned anything; {} where none is needed.
  """

  init: Callable[[chex.PRNGKey], Variables]
  loss: Loss
  train_batches: Callable[
    [annotated.AnnotatedSource, int], Iterator[dict[str, np.ndarray]]
  ]
  evaluate: Callable[[Any, annotated.AnnotatedSource], Tested]
  draw: Callable[[Any, annotated.AnnotatedSource, str], None]
  metric: str
  higher_is_better: bool
  baseline: Callable[
    [annotated.AnnotatedSource, annotated.AnnotatedSource], Mapping[str, float]
  ] = lambda train, test: {}
