"""Says what a config needs of a TPU slice, before anybody rents it.

python -m byol_jax.preflight --config=configs/imagenet.py --topology=v3:16x16

The update step that training would run is compiled for the slice, on any
machine with libtpu (`pip install 'byol-jax[tpu]'`); a ResNet-50 takes minutes.
`--compare=configs/simclr.py` puts another config beside it, and
`--compare.training.batch_size=2048` changes a setting of that one. The data is
opened only where its size is not known; `--num_images` and `--num_classes` say
it instead.
"""

import time
from collections.abc import Sequence
from importlib import metadata
from typing import NamedTuple

import jax
import ml_collections
from absl import app, flags
from ml_collections.config_flags import config_flags

from byol_jax import (
  chips,
  command_line,
  estimates,
  exits,
  lowering,
  records,
  shipped,
)
from byol_jax import config as config_lib
from byol_jax import main as main_lib

# Batches that training places on the devices before they are used.
_AHEAD = 2


class CompilerError(Exception):
  """The step does not fit, or libtpu cannot compile it."""


class Job(NamedTuple):
  """A config to report on.

  Attributes:
    title: as the command line names it.
    config: validated.
    sizes: of its data.
    lowered: its step for the slice.
  """

  title: str
  config: ml_collections.ConfigDict
  sizes: lowering.Sizes
  lowered: jax.stages.Lowered


def parse_flags(
  argv: Sequence[str], values: flags.FlagValues = flags.FLAGS
) -> list[str]:
  """As `main.parse_flags`, with the flags of this command."""
  rest = main_lib.parse_flags(
    argv, values, lambda here: _define_flags(here, argv)
  )
  try:
    if values["compare"].present:
      command_line.check_config(values["compare"])
  except command_line.FAILURES as error:
    exits.refuse(command_line.sentence(error, argv))
  return rest


def main(argv: Sequence[str]) -> None:
  """Compiles the step of each config and reports."""
  del argv
  values = flags.FLAGS
  records.log_plainly()
  chips.prepare()
  try:
    where, jobs = _prepare(values)
  except (ValueError, OSError) as error:
    exits.refuse(str(error))
  print(_heading(where), flush=True)  # The rest takes minutes.
  columns, failures = {}, []
  for job in jobs:
    try:
      facts = measure(job, where)
    except CompilerError as error:
      failures.append(f"{job.title}: {error}")
      continue
    columns[job.title] = estimates.rows(facts, where.chip)
    wanted = estimates.needed(facts)
    if wanted > chips.usable_bytes(where.chip):
      reason = f"the run takes {wanted / 2**30:,.2f} GiB"
      failures.append(f"{job.title}: {_too_large(reason, job, where)}")
  if columns:
    print(estimates.table(tuple(columns), tuple(columns.values())))
  if failures:
    exits.end(exits.FAILED, " ".join(failures))
  print(f"fits {where.name}")


def measure(job: Job, where: chips.Slice) -> estimates.Facts:
  """Compiles a step.

  Args:
    job: what to compile.
    where: the slice that it is lowered for.

  Returns:
    What it costs.

  Raises:
    CompilerError: the compiler refuses it, which it also does when the step
      does not fit.
  """
  started = time.monotonic()
  try:
    compiled = job.lowered.compile()
  except jax.errors.JaxRuntimeError as error:
    reason = str(error).partition("\n")[0].rstrip(".")
    if estimates.says_too_large(str(error)):
      raise CompilerError(_too_large(reason, job, where)) from error
    raise CompilerError(f"libtpu cannot compile the step: {reason}.") from error
  count = len(where.devices)
  batch = lowering.batch_shapes(job.config, job.sizes, count)
  moved = {k: x for k, x in batch.items() if not k.startswith("pool_")}
  return estimates.Facts(
    batch_size=job.config.training.batch_size,
    num_devices=count,
    num_steps=lowering.num_steps(job.config, job.sizes),
    waiting=_AHEAD * estimates.num_bytes(moved),
    compile_secs=time.monotonic() - started,
    **estimates.costs(compiled, job.config.training.micro_batches),
  )


def _prepare(values: flags.FlagValues) -> tuple[chips.Slice, list[Job]]:
  """Checks everything that can be checked before compiling."""
  names = ["config"] + ["compare"] * values["compare"].present
  for name in names:
    if config_lib.is_evaluation(values[name].value):
      raise ValueError(
        "The preflight is for configs that pretrain, and"
        f" --{name}={shipped.name(values[name].config_filename)} evaluates."
      )
  where = chips.open_slice(values.topology)
  return where, [_job(name, values, where) for name in names]


def _job(name: str, values: flags.FlagValues, where: chips.Slice) -> Job:
  config = values[name].value
  config_lib.validate(config, len(where.devices))
  sizes = _sizes(config, values)
  lowering.num_steps(config, sizes)
  lowered = lowering.lower(config, sizes, where.devices)
  title = f"--{name}={shipped.name(values[name].config_filename)}"
  return Job(title, config, sizes, lowered)


def _sizes(
  config: ml_collections.ConfigDict, values: flags.FlagValues
) -> lowering.Sizes:
  """As the flags say, or as found."""
  if values.num_images is None:
    try:
      found = lowering.find_sizes(config)
    except ValueError as error:
      raise ValueError(
        f"{error} Or give --num_images and --num_classes."
      ) from error
    return found._replace(stored_px=values.stored_px or found.stored_px)
  if config.data.labelled and values.num_classes is None:
    raise ValueError(
      "data.labelled=True needs --num_classes beside --num_images."
    )
  num_classes = values.num_classes if config.data.labelled else 0
  return lowering.Sizes(values.num_images, num_classes, values.stored_px)


def _heading(where: chips.Slice) -> str:
  return (
    f"{where.name}, devices: {len(where.devices):,}, each a"
    f" {where.chip.device} with {where.chip.gibibytes:g} GiB for programs; the"
    " numbers are of one device and step. libtpu"
    f" {metadata.version('libtpu')}, jax {jax.__version__}."
  )


def _too_large(reason: str, job: Job, where: chips.Slice) -> str:
  """That the step does not fit, and what may help."""
  share = job.config.training.batch_size // len(where.devices)
  parts = job.config.training.micro_batches
  more = (n for n in range(parts + 1, share + 1) if share % n == 0)
  advice = "a larger slice or a smaller network"
  if found := next(more, None):
    advice = (
      f"training.micro_batches={found}, a smaller training.batch_size or a"
      " larger slice"
    )
  return (
    f"does not fit {where.name}, whose devices have {where.chip.gibibytes:g}"
    f" GiB ({reason}); try {advice}."
  )


def _define_flags(values: flags.FlagValues, argv: Sequence[str]) -> None:
  here = {"flag_values": values}
  config_flags.DEFINE_config_file(
    "compare",
    help_string="A second config, to be put beside the first.",
    lock_config=True,
    sys_argv=argv,
    **here,
  )
  flags.DEFINE_string(
    "topology", None, "The slice, such as v3:16x16.", required=True, **here
  )
  flags.DEFINE_integer(
    "num_images", None, "Of the training split.", lower_bound=1, **here
  )
  flags.DEFINE_integer(
    "num_classes", None, "Of the training split.", lower_bound=1, **here
  )
  flags.DEFINE_integer(
    "stored_px", 0, "Side of pictures on the device.", lower_bound=0, **here
  )


if __name__ == "__main__":
  app.run(main, flags_parser=parse_flags)
