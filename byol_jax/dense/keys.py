"""What tells the trainings of a dense task apart, and its results."""

from typing import NamedTuple

import ml_collections

from byol_jax import encoders, schema_dense
from byol_jax.data import identity
from byol_jax.dense import division
from byol_jax.evaluation import results

# Settings that change no score.
_HOW_FAST = ("evaluation.batch_size", "evaluation.every_steps")


class Keys(NamedTuple):
  """Short texts that differ where it matters.

  Attributes:
    training: names the folder of all that is trained.
    result: differs with the test, too.
  """

  training: str
  result: str


def of(
  config: ml_collections.ConfigDict,
  encoder: encoders.Encoder,
  parts: division.Parts,
) -> Keys:
  """The keys of a run.

  A finished training is tested again with other settings of the test. But where
  a rate is chosen, it is by the test's settings, on what is held out.

  Args:
    config: a validated config of a dense task.
    encoder: that it is transferred from.
    parts: of its data.
  """
  tests = schema_dense.TEST_DATA
  if parts.valid is None:
    tests |= schema_dense.ONLY_TEST[config.protocol]
  data = [parts.everything.num_images, identity.digest([parts.everything])]
  whole = [*division.sizes(parts).values(), division.digest(parts)]
  return Keys(
    training=results.key(config, encoder, data, {"evaluation", *tests}),
    result=results.key(config, encoder, whole, _HOW_FAST),
  )
