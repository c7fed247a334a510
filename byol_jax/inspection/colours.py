"""Colours that are legible on white and on dark grey."""

import colorsys

# Tableau's ten, the usual choice for points of few classes.
_FEW = (
  "#4e79a7",
  "#f28e2b",
  "#e15759",
  "#76b7b2",
  "#59a14f",
  "#edc948",
  "#b07aa1",
  "#ff9da7",
  "#9c755f",
  "#8a8a8a",
)
# Neighbouring hues differ in lightness as well.
_LIGHTNESS = (0.42, 0.62)


def of_classes(count: int) -> tuple[str, ...]:
  """A colour for each class, as #rrggbb.

  Args:
    count: of classes; beyond a few dozen, no eye tells all of them apart.
  """
  if count <= len(_FEW):
    return _FEW[:count]
  return tuple(
    _hexadecimal(at / count, _LIGHTNESS[at % len(_LIGHTNESS)])
    for at in range(count)
  )


def _hexadecimal(hue: float, lightness: float) -> str:
  parts = colorsys.hls_to_rgb(hue, lightness, 0.6)
  return "#" + "".join(f"{round(255 * part):02x}" for part in parts)
