"""What a dense run will do, in lines of text."""

import jax
import ml_collections
from etils import epath

from byol_jax import checkpoint, encoders
from byol_jax.dense import division, keys, training
from byol_jax.dense import task as tasks
from byol_jax.evaluation import results
from byol_jax.networks import centres, network

# Cells of a map that is made for photographs are so many pixels apart, or more.
_LOWEST_STRIDE = 8


def describe(
  config: ml_collections.ConfigDict,
  encoder: encoders.Encoder,
  task: tasks.Task,
  parts: division.Parts,
  workdir: str,
) -> str:
  """Encoder, data, training, and what the workdir has of it already.

  Args:
    config: from `runs.find`.
    encoder: from `runs.find`.
    task: made of the config.
    parts: of its data.
    workdir: there or not.
  """
  cells = _stride(encoder.spec, encoder.image_px)
  variables = jax.eval_shape(task.init, jax.random.key(0))
  count = sum(leaf.size for leaf in jax.tree.leaves(variables.params))
  lines = (
    ("encoder", f"{encoder.name}, {encoder.spec.encoder}, stride {cells}"),
    ("parameters", f"{count:,}"),
    ("data", division.described(parts)),
    ("training", _plan(config)),
    ("workdir", f"{workdir}: {_progress(config, encoder, parts, workdir)}"),
  )
  text = "\n".join(f"{name:>10}  {said}" for name, said in lines)
  if cells >= _LOWEST_STRIDE:
    return text
  return (
    f"{text}\nThe cells of this encoder's map are {cells} pixels apart, as for"
    " tiny pictures: on photographs it is slow and sees little at once."
  )


def _progress(config, encoder, parts: division.Parts, workdir: str) -> str:
  named = keys.of(config, encoder, parts)
  if results.earlier(workdir, named.result):
    return "finished, its result is there"
  begun = epath.Path(workdir) / named.training
  step = _newest(begun / training.FINAL / checkpoint.FOLDER)
  if step:
    return f"continues at step {step:,}"
  return "continues its sweep" if begun.exists() else "nothing of this run"


def _stride(spec: network.EncoderSpec, image_px: int) -> int:
  """Pixels between the cells of the last map."""
  groups = centres.num_groups(spec, last_dilation=1)
  return centres.first(spec, image_px, groups)[1]


def _newest(folder: epath.Path) -> int:
  """The last step that is saved there, 0 for none."""
  names = [x.name for x in folder.iterdir()] if folder.is_dir() else []
  return max((int(name) for name in names if name.isdigit()), default=0)


def _plan(config) -> str:
  """How long is trained, and with which learning rates."""
  length, rates = config.training, config.optimizer.learning_rates
  steps = f"{length.num_steps:,} steps of {length.batch_size} pictures"
  if len(rates) == 1:
    return f"{steps} at the learning rate {rates[0]:g}"
  listed = ", ".join(f"{rate:g}" for rate in rates)
  return f"{steps} at each of the learning rates {listed}, then with the best"
