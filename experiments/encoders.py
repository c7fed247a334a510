"""The encoders of the larger tables, and what stands for them elsewhere."""

from typing import Any

from .declare import Changes, Row, Times

# ResNet-50 to ResNet-200 by networks that fit the small scales.
_GPU = {50: "resnet18", 101: "resnet34", 152: "resnet50", 200: "resnet101"}
# The base itself is the least deep.
_DESK = {50: {}, 200: {"network.encoder": "resnet20"}}
_NO_SUCH_DEPTH = "There is no small encoder of a depth between."

# Millions of weights that the paper prints.
MILLIONS = {
  (50, 1): 24,
  (101, 1): 43,
  (152, 1): 58,
  (200, 1): 63,
  (50, 2): 94,
  (101, 2): 170,
  (50, 3): 211,
  (152, 2): 232,
  (200, 2): 250,
  (50, 4): 375,
  (101, 3): 382,
  (152, 3): 522,
}


def row(
  name: str, depth: int, width: int, evaluation: Changes | None = None
) -> Row:
  """BYOL with one encoder.

  At the other scales ResNet-50 stands for the base's encoder and the deeper
  ones for deeper ones; widths are multiples of the base's.

  Args:
    name: of the row.
    depth: 50, 101, 152 or 200.
    width: multiplier of its channels, 1 to 4.
    evaluation: changes of it; None for none.

  Returns:
    The row; its `x` is the printed number of weights in millions.
  """
  wider: dict[str, Any] = {"network.width_multiplier": Times(width)}
  wider = wider if width > 1 else {}
  missing = {} if depth in _DESK else {"desk": _NO_SUCH_DEPTH}
  return Row(
    name,
    {"network.encoder": f"resnet{depth}", "network.width_multiplier": width},
    evaluation=evaluation or {},
    at={
      "gpu": {"network.encoder": _GPU[depth], **wider},
      "desk": {**_DESK.get(depth, {}), **wider},
    },
    x=MILLIONS[depth, width],
    missing=missing,
  )
