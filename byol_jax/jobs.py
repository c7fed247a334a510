"""What the training loop is given."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from byol_jax import replicas
from byol_jax.types import Batch, Metrics

# Of int32, which counts them.
MAX_STEPS = 2**31 - 1


class Job(NamedTuple):
  """What there is to train, as functions of replicated states.

  Attributes:
    init: to the state at step 0. A state is a NamedTuple with a field `step`.
    shapes: to one replica's arrays as `jax.ShapeDtypeStruct`, for a restart,
      which needs no fresh state.
    step: (state, batch) to (state, metrics), across devices; donates the state,
      which is as `cut` makes it.
    batches: first step to the batches from there on, on the devices.
    evaluate: state to named numbers; called on every host.
    config_json: goes into each checkpoint.
    name_of: index of a batch to a picture's name; None where they have none.
    mirror: to what gets the recorded numbers, too (`records.Recorder`).
    aside: does what no step has to wait for; called after each record.
    cut: a state to what steps take, where devices keep but parts of it.
    whole: undoes that; both are called on every host.
    copies: what steps take, by which devices should hold the same.
  """

  init: Callable[[], Any]
  shapes: Callable[[], Any]
  step: Callable[[Any, Batch], tuple[Any, Metrics]]
  batches: Callable[[int], Iterator[Batch]]
  evaluate: Callable[[Any], Mapping[str, float]]
  config_json: str
  name_of: Callable[[int], str] | None = None
  mirror: Callable[[], Any] | None = None
  aside: Callable[[], None] | None = None
  cut: Callable[[Any], Any] = lambda state: state
  whole: Callable[[Any], Any] = lambda state: state
  copies: Callable[[Any], replicas.Copies] = replicas.Copies


class Plan(NamedTuple):
  """How long and how often, in steps; a period of 0 means only at the end.

  Attributes:
    num_steps: of the whole run.
    images_per_step: of all devices together, for the rate shown.
    log_every: period of the recorded metrics, 1 or more.
    evaluate_every: period of `Job.evaluate`.
    checkpoint_every: period of the checkpoints.
    keep: checkpoints to keep.
    max_skipped: steps that may be left out because they are not finite, if the
      job counts them.
  """

  num_steps: int
  images_per_step: int
  log_every: int
  evaluate_every: int
  checkpoint_every: int
  keep: int
  max_skipped: int = 0
