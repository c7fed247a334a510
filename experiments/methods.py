"""The methods that several tables compare, as changes of BYOL's config."""

from .declare import Changes

# Table 5b's corner: BYOL's heads and its scale of the loss (69.2 to 69.4 %).
SIMCLR: Changes = {
  "network.predictor": "none",
  "target.kind": "online",
  "objective.negative_weight": 1.0,
}

# SimCLR's own head and scale (67.9 %): the loss here is 2 alpha NT-Xent in each
# of two directions, SimCLR's the mean of both; alpha is 0.1.
SIMCLR_ORIGINAL: Changes = {
  **SIMCLR,
  "network.projector_hidden": (2048,),
  "network.projection_dim": 128,
  "network.projector_output_norm": True,
  "objective.scale": 2.5,
}

# SimCLR's own rates, whatever BYOL's are (arXiv 2002.05709).
SIMCLR_MAIN: Changes = {
  **SIMCLR_ORIGINAL,
  "optimizer.base_learning_rate": 0.3,
  "optimizer.weight_decay": 1e-6,
}

# The target is the online network itself, without a gradient.
STOP_GRADIENT: Changes = {"target.kind": "stop_gradient"}

# On small pictures only the objective differs: same heads, same rates.
SIMCLR_ELSEWHERE = {"gpu": SIMCLR, "desk": SIMCLR}
