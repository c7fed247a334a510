"""Networks of torchvision's names, padding and shortcuts, in plain PyTorch."""

from torch import nn

_EXPANSION = 4


class Block(nn.Module):
  """torchvision's BasicBlock, or its Bottleneck."""

  def __init__(self, before, inner, stride, bottleneck):
    super().__init__()
    after = inner * _EXPANSION if bottleneck else inner
    sizes = [(inner, 3, stride), (inner, 3, 1)]
    if bottleneck:
      sizes = [(inner, 1, 1), (inner, 3, stride), (after, 1, 1)]
    channels = before
    for number, (out, side, step) in enumerate(sizes, 1):
      setattr(self, f"conv{number}", conv(channels, out, side, step))
      setattr(self, f"bn{number}", nn.BatchNorm2d(out))
      channels = out
    self.count = len(sizes)
    self.downsample = None
    if stride > 1 or before != after:
      shortcut = conv(before, after, 1, stride)
      self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(after))

  def forward(self, x):
    shortcut = x if self.downsample is None else self.downsample(x)
    for number in range(1, self.count + 1):
      x = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(x))
      if number < self.count:
        x = x.relu()
    return (x + shortcut).relu()


class ResNet(nn.Module):
  """torchvision's, but of any number of layers; those left out do nothing."""

  def __init__(self, blocks, bottleneck):
    super().__init__()
    self.conv1 = conv(3, 64, 7, 2)
    self.bn1 = nn.BatchNorm2d(64)
    self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    channels = 64
    for group in range(4):
      layer, inner = nn.Identity(), 64 * 2**group
      if group < len(blocks):
        layer = nn.Sequential()
        for number in range(blocks[group]):
          stride = 2 if group and not number else 1
          layer.append(Block(channels, inner, stride, bottleneck))
          channels = inner * _EXPANSION if bottleneck else inner
      setattr(self, f"layer{group + 1}", layer)
    self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
    self.fc = nn.Linear(channels, 1000)

  def forward(self, x):
    x = self.maxpool(self.bn1(self.conv1(x)).relu())
    x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
    return self.fc(self.avgpool(x).flatten(1))


def conv(before, after, side, stride):
  return nn.Conv2d(before, after, side, stride, side // 2, bias=False)
