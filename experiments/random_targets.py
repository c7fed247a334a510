"""Numbers that the paper only has in its text, such as 1.4 and 18.8 %.

python -m experiments.random_targets --scale=desk

Paper: the untrained network, one that predicts a random network's projections,
the best linear predictor of each batch in closed form, and raised learning
rates without a moving average. The text gives no multiplier for the row with
both rates raised (Table 22 has several), so it is only quoted.
"""

from . import runner
from .declare import Column, Experiment, Row, Times
from .methods import SIMCLR, SIMCLR_ORIGINAL, STOP_GRADIENT

_CLOSED_FORM = {**STOP_GRADIENT, "network.predictor": "least_squares"}
# Twice as many pictures in a batch as dimensions, and the base's rate a step.
_CLOSED_FORM_DESK = {
  **_CLOSED_FORM,
  "training.batch_size": Times(4),
  "optimizer.base_learning_rate": Times(0.25),
}
# Appendix G; from the 300 epochs of the base.
_BATCH_512 = {
  "training.num_epochs": 1000.0,
  "training.batch_size": 512,
  "optimizer.base_learning_rate": 0.4,
  "optimizer.weight_decay": 1.5e-6,
  "target.base_decay": 0.9995,
}
_ITS_HEAD = dict.fromkeys(
  ("gpu", "desk"), "The head of 2048 and 128 belongs to ResNet-50."
)
_ITS_RECIPE = dict.fromkeys(
  ("gpu", "desk"), "A recipe for ImageNet, beside one that is not run here."
)

_ROWS = (
  Row(
    "randomly initialised ResNet-50, linear evaluation", {}, encoder="random"
  ),
  Row(
    "online network trained to predict a fixed random target",
    {"target.kind": "fixed"},
  ),
  Row(
    "closed-form optimal linear predictor on the batch, hard-copied target, "
    "300 epochs",
    _CLOSED_FORM,
    at={"desk": _CLOSED_FORM_DESK},
  ),
  Row(
    "predictor LR raised, no EMA",
    {**STOP_GRADIENT, "optimizer.predictor_multiplier": 10.0},
  ),
  Row("projector and predictor LR both raised, no EMA", None),
  Row(
    "SimCLR reproduction at 300 epochs, original head and loss scale",
    SIMCLR_ORIGINAL,
    missing=_ITS_HEAD,
  ),
  Row(
    "SimCLR reproduction at 300 epochs, loss x 2 alpha, projector hidden 4096 "
    "and output 256",
    SIMCLR,
  ),
  Row(
    "BYOL ResNet-50, 1000 epochs, batch 512 (base LR 0.4, tau_base 0.9995, "
    "wd 1.5e-6, 64 TPU cores, about 4 days)",
    _BATCH_512,
    missing=_ITS_RECIPE,
    seeds=(0,),  # The paper prints one number, of one run.
  ),
  Row("ResNet-50 v2 trained on Places365 labels (third party)", None),
  Row("previous best self-supervised top-1, any architecture", None),
)

EXPERIMENTS = (
  Experiment(
    name="random_targets",
    paper="text_numbers",
    title="Untrained networks and predictors without a moving average",
    base="ablation",
    columns=(Column("top1", "top-1"),),
    rows=_ROWS,
  ),
)

if __name__ == "__main__":
  runner.main(EXPERIMENTS)
