"""Table 5(a): which target the online network should predict.

python -m experiments.table5a --scale=desk

Paper: ResNet-50, 300 epochs, linear evaluation, three runs a row. A target that
never moves and one that moves at once are both bad; the decay rises to 1 in the
rows with a moving average.
"""

from . import runner
from .declare import Column, Experiment, Row, Times
from .methods import STOP_GRADIENT

_ROWS = (
  Row("Constant random network", {"target.kind": "fixed"}),
  Row("Moving average of online, 0.999", {"target.base_decay": 0.999}),
  Row("Moving average of online, 0.99", {"target.base_decay": 0.99}),
  Row("Moving average of online, 0.9", {"target.base_decay": 0.9}),
  Row("Stop gradient of online", STOP_GRADIENT),
)

_LONGER = {"training.num_epochs": Times(4)}
_ENOUGH = "The base is long enough."

EXPERIMENTS = (
  Experiment(
    name="table5a",
    paper="table5a",
    title="Target modes and target decay",
    base="ablation",
    columns=(Column("top1", "top-1"),),
    rows=_ROWS,
  ),
  # Does a moving target win once there is time for more than one target?
  Experiment(
    name="table5a_longer",
    paper="",  # Ours.
    title="Target modes, four times as long",
    base="ablation",
    columns=(Column("top1", "top-1"),),
    rows=tuple(
      row._replace(
        name=f"{row.name}, longer", changes={**row.changes, **_LONGER}
      )
      for row in _ROWS
    ),
    seeds=(0,),
    missing={"paper": _ENOUGH, "gpu": _ENOUGH},
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
