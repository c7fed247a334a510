"""All that is found out about an encoder and some pictures."""

from typing import NamedTuple

import numpy as np

from byol_jax.inspection import (
  gallery,
  history,
  layout,
  neighbours,
  spectrum,
)


class Findings(NamedTuple):
  """What a page shows.

  Attributes:
    title: the encoder, "runs/x, step 3906".
    facts: names and values, in the order in which they are shown.
    gallery: the pictures.
    queries: [q] pictures whose neighbours are shown.
    neighbours: of all pictures.
    num_shown: neighbours in a row.
    positions: [n, 2] in [0, 1], on the map.
    map_name: by what.
    spectrum: of the features.
    confusion: of the classes; None when unlabelled.
    panels: of the training; () without a record.
  """

  title: str
  facts: tuple[tuple[str, str], ...]
  gallery: gallery.Gallery
  queries: np.ndarray
  neighbours: neighbours.Neighbours
  num_shown: int
  positions: np.ndarray
  map_name: str
  spectrum: spectrum.Spectrum
  confusion: neighbours.Confusion | None
  panels: tuple[history.Panel, ...]


class Wishes(NamedTuple):
  """What somebody wants to see.

  Attributes:
    num_queries: rows of neighbours.
    num_neighbours: in a row.
    map: one of `layout.KINDS`.
    seed: of all draws.
  """

  num_queries: int
  num_neighbours: int
  map: str
  seed: int


def find(
  title: str,
  shown: gallery.Gallery,
  features: np.ndarray,
  wishes: Wishes,
  panels: tuple[history.Panel, ...],
) -> Findings:
  """Looks at features from all sides; `facts` are left to the caller.

  Args:
    title: the encoder.
    shown: the pictures, 3 or more.
    features: [n, dim] float32 of these.
    wishes: what to show.
    panels: of the training.

  Raises:
    ValueError: features are not finite.
  """
  bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
  if bad.size:
    raise ValueError(
      f"The features of {len(bad)} pictures are not finite, such as those of"
      f" {shown.names[bad[0]]}: the encoder is broken."
    )
  wanted = max(wishes.num_neighbours, neighbours.NUM_VOTES)
  near = neighbours.find(features, wanted)
  labelled = bool(shown.class_names)
  return Findings(
    title=title,
    facts=(),
    gallery=shown,
    queries=neighbours.queries(len(features), wishes.num_queries, wishes.seed),
    neighbours=near,
    num_shown=min(wishes.num_neighbours, near.index.shape[1]),
    positions=layout.positions(features, wishes.map, wishes.seed),
    map_name=layout.NAMES[wishes.map],
    spectrum=spectrum.of(features),
    confusion=neighbours.confusion(near, shown.labels) if labelled else None,
    panels=panels,
  )
