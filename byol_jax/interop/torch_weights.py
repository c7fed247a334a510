"""Writes an encoder's weights for PyTorch, under torchvision's names.

python -m byol_jax.convert torch runs/mine resnet.safetensors

The file is a state dict of torchvision's ResNet; `--classifier`, the workdir of
a logistic regression, a linear evaluation or a fine-tuning, adds its last
layer, `fc`. PyTorch pads strided layers otherwise: docs/interoperability.md has
the function that makes torchvision's network exactly ours.
"""

import argparse
import json

import jax
import numpy as np
import safetensors.numpy

from byol_jax import encoders, intact
from byol_jax.evaluation import linear_classifier
from byol_jax.interop import output
from byol_jax.networks import network, norms, resnet
from byol_jax.types import Variables

# Modules outside the blocks, and those that blocks do not number.
_NAMES = {
  "initial_conv": "conv1",
  "initial_batchnorm": "bn1",
  "shortcut_conv": "downsample.0",
  "shortcut_batchnorm": "downsample.1",
}
_KINDS = {"conv": "conv", "batchnorm": "bn"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Adds what the command takes."""
  parser.add_argument("encoder", help="workdir of a run, or a checkpoint")
  parser.add_argument("out", help="file to write, .safetensors")
  parser.add_argument(
    "--classifier", default="", help="workdir of an evaluation that trained one"
  )


def run(arguments: argparse.Namespace) -> str:
  """Writes the file.

  Args:
    arguments: `encoder`, `out` and `classifier`.

  Returns:
    A line that says what was written.

  Raises:
    ValueError: there is no such encoder or classifier, they do not belong
      together, PyTorch has no such network, or the file's name is wrong.
    OSError: the file cannot be written.
  """
  output.check(arguments.out, ".safetensors")
  encoder = encoders.open_encoder(arguments.encoder)
  weights = state_dict(encoder.spec, encoder.variables)
  described = metadata(encoder)
  ending = ""
  if arguments.classifier:
    found = linear_classifier.read(arguments.classifier)
    if found.encoder != encoders.fingerprint(encoder.variables):
      raise ValueError(
        f"The classifier of {arguments.classifier} is for other features than"
        f" those of {encoder.name}."
      )
    weights["fc.weight"] = np.ascontiguousarray(found.w.T)
    weights["fc.bias"] = found.b
    described["classes"] = json.dumps(found.class_names)
    ending = f", {len(found.class_names)} classes"
  intact.write_whole(safetensors.numpy.save(weights, described), arguments.out)
  return (
    f"Wrote {arguments.out}: {encoder.spec.encoder} of width"
    f" {encoder.spec.width_multiplier}, {described['features']} features"
    f"{ending}."
  )


def state_dict(
  spec: network.EncoderSpec, variables: Variables
) -> dict[str, np.ndarray]:
  """An encoder as evaluation sees it, as torchvision names and lays it out.

  Args:
    spec: shape of the encoder.
    variables: its weights and averages.

  Returns:
    Contiguous arrays by name. Kernels are [out, in, height, width], and
    standardised where the encoder does that; `running_var` is the average that
    evaluation divides by, of variances without Bessel's correction.

  Raises:
    ValueError: its norms are not batch norms.
  """
  if spec.encoder_norm != "batch":
    raise ValueError(
      "torchvision's ResNet has batch norms only, and this encoder's"
      f" encoder_norm is {spec.encoder_norm!r}."
    )
  found = {}
  for module, params in variables.params.items():
    if "w" in params:
      layer = {"weight": _kernel(params["w"], spec.weight_standardization)}
    else:
      layer = _batch_norm(module, variables)
    name = _name(module)
    # As safetensors takes it for granted.
    found |= {
      f"{name}.{key}": np.array(x, order="C") for key, x in layer.items()
    }
  return found


def metadata(encoder: encoders.Encoder) -> dict[str, str]:
  """What a user of the weights has to know, numbers as JSON.

  Args:
    encoder: of an earlier run.
  """
  spec = encoder.spec
  architecture = resnet.ARCHITECTURES[spec.encoder]
  channels = (architecture.stem_channels, *architecture.channels)[-1]
  return {
    "format": "pt",  # Other libraries ask for it.
    "run": encoder.name,
    "architecture": spec.encoder,
    "stem": spec.stem,
    "width_multiplier": json.dumps(spec.width_multiplier),
    "features": json.dumps(channels * spec.width_multiplier),
    "image_px": json.dumps(encoder.image_px),
    "mean_rgb": json.dumps(spec.mean_rgb),
    "std_rgb": json.dumps(spec.std_rgb),
    "norm_epsilon": json.dumps(spec.norm_epsilon),
  }


def _name(module: str) -> str:
  """Of "res_net18/~/block_group_0/~/block_0/~/conv_1": "layer1.0.conv2"."""
  _, *block, layer = module.split("/~/")
  parts = []
  if block:
    group, number = (part.rpartition("_")[2] for part in block)
    parts = [f"layer{int(group) + 1}", number]
  if layer in _NAMES:
    return ".".join([*parts, _NAMES[layer]])
  kind, _, number = layer.rpartition("_")
  return ".".join([*parts, f"{_KINDS[kind]}{int(number) + 1}"])


def _kernel(weight: np.ndarray, standardized: bool) -> np.ndarray:
  """From [height, width, in, out]."""
  if standardized:
    # Compiled whole: its parts would be, one by one.
    weight = jax.jit(norms.standardize_weight)(weight)
  return np.asarray(weight).transpose(3, 2, 0, 1)


def _batch_norm(module: str, variables: Variables) -> dict[str, np.ndarray]:
  params = variables.params[module]
  mean, variance = (
    variables.stats[f"{module}/~/{name}_ema"] for name in ("mean", "var")
  )
  return {
    "weight": np.reshape(params["scale"], -1),
    "bias": np.reshape(params["offset"], -1),
    "running_mean": np.reshape(mean["average"], -1),
    "running_var": np.reshape(variance["average"], -1),
    "num_batches_tracked": np.int64(mean["counter"]),
  }
