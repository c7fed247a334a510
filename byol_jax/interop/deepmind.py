"""Makes a run of ours from a checkpoint of the released code.

python -m byol_jax.convert deepmind pretrain_res50x1.pkl runs/published

The weights that DeepMind published are licensed CC BY-NC 4.0: not for
commercial use. The file is read as data, and nothing in it is run; what is no
part of a checkpoint is refused. docs/interoperability.md says what is taken
over.
"""

import argparse
import hashlib
import json
import pathlib
import runpy
import shutil

import jax

from byol_jax import checkpoint, encoding, shipped
from byol_jax import config as config_lib
from byol_jax.interop import inert, released
from byol_jax.networks import network

_LICENCE = (
  "The weights that DeepMind published are licensed CC BY-NC 4.0:"
  " attribution, no commercial use"
  " (https://creativecommons.org/licenses/by-nc/4.0/)."
)
_LICENCE_FILE = "LICENSE"
_ORIGIN = """\
Made by byol_jax.convert from a checkpoint in the format of the released code of
"Bootstrap Your Own Latent" (deepmind-research, byol):

{name}
SHA-256 {digest}

{licence}
A checkpoint that you trained with that code yourself is yours.

Taken from the file: step, parameters and batch-norm averages of both networks,
momentum of LARS. Not in the file: the settings of the run; the config beside
the state has those of the released code for 1000 epochs.
"""
# How other files begin.
_KNOWN = {
  b"PK": "a zip archive, as PyTorch's .pt and NumPy's .npz are",
  b"\x93NUMPY": "an array of NumPy's",
  b"\x89HDF": "an HDF5 file",
  b"\x1f\x8b": "compressed by gzip: unpack it first",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Adds what the command takes."""
  parser.add_argument("file", help="checkpoint of the released code, .pkl")
  parser.add_argument("out", help="workdir to make")
  parser.add_argument(
    "--image_px",
    type=int,
    default=224,
    help="side of the pictures that it was trained on (default 224)",
  )


def run(arguments: argparse.Namespace) -> str:
  """Converts a file.

  Args:
    arguments: `file`, `out` and `image_px`.

  Returns:
    Two lines: what was written, and the licence of published weights.

  Raises:
    ValueError: the file is no such checkpoint, the folder is taken or not of
      this machine, or the pictures' side is impossible.
    OSError: the file cannot be read, or the folder not be written.
  """
  out = pathlib.Path(arguments.out)
  encoding.check_side(arguments.image_px)
  if "://" in arguments.out:
    raise ValueError(f"{arguments.out} is no folder of this machine.")
  if not out.name:
    raise ValueError(f"{arguments.out!r} is no name of a folder to make.")
  if out.exists() and (not out.is_dir() or any(out.iterdir())):
    raise ValueError(f"{out} exists: choose another folder.")
  found = _read(arguments.file)
  _write(found, arguments, out)
  said = (
    f"Wrote {out}: {found.spec.encoder} of width"
    f" {found.spec.width_multiplier} at step {found.step}."
  )
  if found.lacking:
    said += (
      f" The file lacks {', '.join(found.lacking)}: training would go on with"
      " the online network's, and without momentum."
    )
  return f"{said}\n{_LICENCE}"


def _read(path: str) -> released.Checkpoint:
  """The checkpoint, or what is wrong with it in one sentence."""
  if not pathlib.Path(path).is_file():
    raise ValueError(f"{path!r} is not a file.")
  try:
    with open(path, "rb") as file:
      start = file.read(8)
    if not start:
      raise ValueError(f"{path} is empty.")
    for beginning, kind in _KNOWN.items():
      if start.startswith(beginning):
        raise ValueError(f"{path} is not a pickle but {kind}.")
    return released.read(path)
  except inert.PickleError as error:
    raise ValueError(f"{path} {error}.") from error
  except OSError as error:
    raise OSError(
      f"{path} cannot be read: {error.strerror or error}."
    ) from error


def _write(
  found: released.Checkpoint, arguments: argparse.Namespace, out: pathlib.Path
) -> None:
  """Writes beside the folder, then renames."""
  draft = out.with_name(f"{out.name}.tmp")
  config_json = _config_json(found.spec, arguments.image_px)
  if draft.exists():
    raise ValueError(f"{draft} is left of another conversion: remove it first.")
  try:
    draft.mkdir(parents=True)
    _check_room(draft, found)
    with checkpoint.open_manager(
      str(draft / checkpoint.FOLDER), keep=1
    ) as manager:
      checkpoint.save(manager, found.step, found.state, config_json)
      checkpoint.wait(manager)
    (draft / _LICENCE_FILE).write_text(_origin(arguments.file))
    draft.rename(out)
  except OSError as error:
    raise OSError(
      f"{out} cannot be written: {error.strerror or error}."
    ) from error
  finally:
    shutil.rmtree(draft, ignore_errors=True)


def _check_room(folder: pathlib.Path, found: released.Checkpoint) -> None:
  needed = sum(x.nbytes for x in jax.tree.leaves(found.state))
  free = shutil.disk_usage(folder).free
  if free < needed:
    raise ValueError(
      f"{folder.parent} has {free / 1e9:.3g} GB of free space, and the"
      f" checkpoint takes up to {needed / 1e9:.3g} GB."
    )


def _config_json(spec: network.Spec, image_px: int) -> str:
  """The released settings with this network, as training would accept them."""
  path = shipped.root() / "configs" / "imagenet.py"
  config = runpy.run_path(str(path))["get_config"]("1000")
  with config.unlocked():
    for name in config.network:
      config.network[name] = getattr(spec, name)
    config.data.image_px = image_px
  config_lib.validate(config, num_devices=1)
  return json.dumps(json.loads(config.to_json_best_effort()))


def _origin(path: str) -> str:
  with open(path, "rb") as file:
    digest = hashlib.file_digest(file, "sha256").hexdigest()
  name = pathlib.Path(path).name
  return _ORIGIN.format(name=name, digest=digest, licence=_LICENCE)
