"""All experiments that the files of experiments/ declare."""

import functools
import importlib
import pkgutil

import experiments
from experiments import commands, configured, plan, scales


def _modules():
  for found in pkgutil.iter_modules(experiments.__path__):
    module = importlib.import_module(f"experiments.{found.name}")
    if hasattr(module, "EXPERIMENTS"):
      yield module


MODULES = tuple(_modules())
EXPERIMENTS = [x for module in MODULES for x in module.EXPERIMENTS]
BY_NAME = {x.name: x for x in EXPERIMENTS}
# Of what a paper has; what is ours alone is compared with nothing.
NAMES = sorted(name for name, x in BY_NAME.items() if x.paper)


@functools.cache
def cells(name, scale):
  """What an experiment measures at a scale, for one seed."""
  return plan.cells(BY_NAME[name], scales.SCALES[scale], (0,))


def place(scale, folder):
  """A place where everything lies, all of it empty, but for `--data`."""
  names = [
    *("pictures/train", "pictures/test", "nyu/train", "nyu/test"),
    *("VOC2012/ImageSets/Segmentation", "camvid.tar", "coco128.tar", "nyu.tar"),
  ]
  for name in names:
    (folder / name).mkdir(parents=True)
  for name in ("train_aug.txt", "ImageSets/Segmentation/val.txt"):
    (folder / "VOC2012" / name).touch()
  return commands.Place(
    scales.SCALES[scale], "", "runs", f"{folder}/pictures", str(folder)
  )


def located(run, where):
  """The config of a run, with its data."""
  found = configured.built(run.config, run.changes)
  found.update_from_flattened_dict(commands.where(run, where))
  return found


def config(name, row, column=None):
  """The pretraining of one row, on ImageNet."""
  run = next(
    cell.evaluation.pretraining
    for cell in cells(name, "paper")
    if cell.row == row and (column is None or column in cell.columns)
  )
  return configured.built(run.config, run.changes)
