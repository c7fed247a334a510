"""The update step in PyTorch, as its users would write it: a peer to time.

`build` makes a function of two views: both through the online network, each
with its own batch statistics; the target network without gradients; LARS and
the moving average with `torch._foreach` operations. Convolutions pad both sides
alike, which PyTorch does without a copy: on maps of odd sides that is the SAME
padding of `byol_jax`, on even ones it has the same sizes and operations and
looks one pixel further to the upper left.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from byol_jax.networks import resnet

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BOTTLENECK_FACTOR = 4

Step = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Sizes(NamedTuple):
  """What the step is built for.

  Attributes:
    encoder: a key of `resnet.ARCHITECTURES`, at width 1.
    stem: "imagenet" or "cifar".
    hidden: width of the heads' hidden layers.
    projection_dim: width of projection and prediction.
    dtype: "float32", or "bfloat16" for autocast; parameters stay float32.
    compiled: whether `torch.compile` makes the loss and the update.
    device: "cpu" or "cuda".
  """

  encoder: str = "resnet18"
  stem: str = "imagenet"
  hidden: int = 4096
  projection_dim: int = 256
  dtype: str = "float32"
  compiled: bool = False
  device: str = "cpu"


class Optimization(NamedTuple):
  """Numbers of LARS and of the target, those of the paper's long run."""

  learning_rate: float = 0.2
  weight_decay: float = 1.5e-6
  momentum: float = 0.9
  trust_coefficient: float = 1e-3
  target_decay: float = 0.996


def build(sizes: Sizes) -> Step:
  """Draws two networks and makes their step.

  Args:
    sizes: what to build.

  Returns:
    step(view1, view2) to the loss, a scalar; the views are [batch, height,
    width, 3] on the device, uint8 in [0, 255] or float32 in [0, 1].
  """
  online, target = (make_network(sizes) for _ in range(2))
  return make_step(online, target, sizes)


def make_network(sizes: Sizes) -> nn.Module:
  """Encoder, projector and predictor, channels last, in training mode."""
  network = _Network(sizes).to(sizes.device, memory_format=torch.channels_last)
  return network.train()


def make_step(online: nn.Module, target: nn.Module, sizes: Sizes) -> Step:
  """The step of two networks, which it changes in place."""
  if sizes.device == "cuda":
    # As XLA multiplies float32 there, and what cuDNN does best.
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
  loss_of, update = make_loss(online, target, sizes), apply_update
  if sizes.compiled:
    loss_of, update = torch.compile(loss_of), torch.compile(update)
  params = list(online.parameters())
  momenta = [torch.zeros_like(x) for x in params]
  averages = list(target.parameters())

  def step(view1, view2):
    loss = loss_of(view1, view2)
    grads = torch.autograd.grad(loss, params)
    with torch.no_grad():
      update(params, list(grads), momenta, averages)
    return loss.detach()

  return step


def make_loss(online: nn.Module, target: nn.Module, sizes: Sizes) -> Step:
  """BYOL's loss of two views, which add up over both directions."""
  # A CPU's autocast warns of any other type, even when it is switched off.
  kind = getattr(torch, sizes.dtype) if sizes.dtype != "float32" else None

  def loss(view1, view2):
    enabled = sizes.dtype != "float32"
    with torch.autocast(sizes.device, kind, enabled=enabled):
      views = [_standardized(x) for x in (view1, view2)]
      with torch.no_grad():
        targets = [target.project(x) for x in views]
      predictions = [online.predictor(online.project(x)) for x in views]
    first, second = (
      2.0 - 2.0 * functional.cosine_similarity(one.float(), other.float())
      for one, other in zip(predictions, reversed(targets), strict=True)
    )
    return torch.mean(first + second)

  return loss


def apply_update(
  params: list[torch.Tensor],
  grads: list[torch.Tensor],
  momenta: list[torch.Tensor],
  averages: list[torch.Tensor],
) -> None:
  """LARS, the rate outside the momentum, and then the target's average.

  Args:
    params: of the online network, changed in place.
    grads: of them; the list is changed.
    momenta: likewise, changed in place.
    averages: the target's parameters, changed in place.
  """
  numbers = Optimization()
  weights = [i for i, x in enumerate(params) if x.ndim > 1]
  decayed, moved = [params[i] for i in weights], [grads[i] for i in weights]
  moved = torch._foreach_add(moved, decayed, alpha=numbers.weight_decay)
  sizes = torch.stack(torch._foreach_norm(decayed))
  norms = torch.stack(torch._foreach_norm(moved))
  ratios = torch.where(
    (sizes > 0) & (norms > 0), numbers.trust_coefficient * sizes / norms, 1.0
  )
  moved = torch._foreach_mul(moved, list(ratios.unbind()))
  for place, grad in zip(weights, moved, strict=True):
    grads[place] = grad
  torch._foreach_mul_(momenta, numbers.momentum)
  torch._foreach_add_(momenta, grads)
  torch._foreach_add_(params, momenta, alpha=-numbers.learning_rate)
  torch._foreach_lerp_(averages, params, 1.0 - numbers.target_decay)


def _standardized(view):
  """[batch, 3, height, width] of mean 0, still channels last."""
  mean, std = (
    torch.tensor(x, device=view.device).reshape(1, 3, 1, 1)
    for x in (_MEAN, _STD)
  )
  images = view.permute(0, 3, 1, 2)
  if images.dtype == torch.uint8:
    images = images.float() / 255.0
  return (images - mean) / std


class _Network(nn.Module):
  def __init__(self, sizes):
    super().__init__()
    architecture = resnet.ARCHITECTURES[sizes.encoder]
    self.encoder = _encoder(architecture, sizes.stem)
    width = (architecture.stem_channels, *architecture.channels)[-1]
    self.projector = _head(width, sizes)
    self.predictor = _head(sizes.projection_dim, sizes)

  def project(self, images):
    """Projections, [batch, projection_dim]."""
    return self.projector(self.encoder(images).mean(dim=(2, 3)))


def _encoder(architecture, stem):
  channels = architecture.stem_channels
  large = stem == "imagenet"
  layers = [*_conv_norm((channels, 7 if large else 3, 1 + large), 3)]
  layers.append(nn.ReLU(inplace=True))
  if large:
    layers.append(nn.MaxPool2d(3, stride=2, padding=1))
  for group, (count, outputs) in enumerate(
    zip(architecture.blocks, architecture.channels, strict=True)
  ):
    for block in range(count):
      stride = 2 if group and not block else 1
      layers.append(
        _Block(channels, outputs, stride, not block, architecture.bottleneck)
      )
      channels = outputs
  return nn.Sequential(*layers)


class _Block(nn.Module):
  def __init__(self, inputs, outputs, stride, projects, bottleneck):
    super().__init__()
    inner = outputs // _BOTTLENECK_FACTOR
    shapes = ((outputs, 3, stride), (outputs, 3, 1))
    if bottleneck:
      shapes = ((inner, 1, 1), (inner, 3, stride), (outputs, 1, 1))
    self.shortcut = nn.Identity()
    if projects:
      self.shortcut = nn.Sequential(*_conv_norm((outputs, 1, stride), inputs))
    layers = []
    for shape in shapes:
      layers += [*_conv_norm(shape, inputs), nn.ReLU(inplace=True)]
      inputs = shape[0]
    self.layers = nn.Sequential(*layers[:-1])

  def forward(self, x):
    # In place, as torchvision has it: no gradient needs what a norm returns.
    total = self.layers(x).add_(self.shortcut(x))
    return functional.relu(total, inplace=True)


def _conv_norm(shape, inputs):
  """A convolution of (channels, kernel, stride) and its batch norm."""
  outputs, kernel, stride = shape
  conv = nn.Conv2d(
    inputs, outputs, kernel, stride, padding=kernel // 2, bias=False
  )
  return conv, nn.BatchNorm2d(outputs)


def _head(inputs, sizes):
  return nn.Sequential(
    nn.Linear(inputs, sizes.hidden),
    nn.BatchNorm1d(sizes.hidden),
    nn.ReLU(inplace=True),
    nn.Linear(sizes.hidden, sizes.projection_dim, bias=False),
  )
