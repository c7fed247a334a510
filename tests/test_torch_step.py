import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import our_step
from byol_jax import assembly, byol, loss, optimizers, parallel

torch = pytest.importorskip("torch")  # Only benchmarks have a use for it.
flop_counter = pytest.importorskip("torch.utils.flop_counter")
torch_step = pytest.importorskip("benchmarks.torch_step")
# More would wait for each other wherever other tests run beside these.
torch.set_num_threads(1)


def _in_torch_order(params):
  """Our parameters, layer by layer and as PyTorch lays them out."""
  heads = {"projector": "1", "predictor": "2"}

  def place(module):
    first, _, rest = module.partition("/")
    rest = rest.replace("initial", "0").replace("shortcut", "a")
    plain = rest.replace("batchnorm", "conv").replace("batch_norm", "linear")
    return heads.get(first, "0"), plain, rest != plain

  for module in sorted(params, key=place):
    for name in ("w", "scale", "b", "offset"):
      x = params[module].get(name)
      if x is not None and name == "w":
        yield np.transpose(x, (3, 2, 0, 1) if x.ndim == 4 else (1, 0))
      elif x is not None:
        yield np.reshape(x, -1)


def _torch_network(params, sizes):
  network = torch_step.make_network(sizes)
  values = list(_in_torch_order(params))
  with torch.no_grad():
    for parameter, value in zip(network.parameters(), values, strict=True):
      parameter.copy_(torch.from_numpy(np.array(value)))
  return network


# Maps of odd sides, where PyTorch's padding is ours.
@pytest.mark.parametrize(
  ("encoder", "stem", "image_px"),
  [("resnet8", "cifar", 17), ("tiny_resnet", "imagenet", 65)],
)
def test_pytorch_has_our_loss_of_the_same_weights(encoder, stem, image_px):
  sizes = torch_step.Sizes(encoder, stem, hidden=16, projection_dim=8)
  config = our_step.make_config(
    our_step.Choice(encoder, stem, image_px, 4, hidden=16, projection_dim=8)
  )
  config.network.mean_rgb = torch_step._MEAN
  config.network.std_rgb = torch_step._STD
  net = assembly.make_network(config, 0)
  rng = np.random.default_rng(0)
  views = rng.uniform(size=(2, 6, image_px, image_px, 3)).astype(np.float32)
  shapes = assembly.state_shapes(config, 0).online
  stats = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes.stats)
  online, target = (
    jax.tree.map(
      lambda x: rng.normal(0.0, 0.5, x.shape).astype(np.float32), shapes.params
    )
    for _ in range(2)
  )

  def ours(view1, view2):
    value, _ = loss.make_loss_fn(net, loss.BYOL)(
      online,
      loss.Stats(stats, stats),
      (target, ()),
      {"view1": view1, "view2": view2},
    )
    return value

  expected = float(jax.jit(parallel.one_device(ours))(*views))
  theirs = torch_step.make_loss(
    *(_torch_network(x, sizes) for x in (online, target)), sizes
  )
  value = theirs(*map(torch.from_numpy, views)).item()
  assert 0.5 < expected < 7.5
  assert value == pytest.approx(expected, rel=1e-4)


def test_pytorch_makes_our_update_of_the_same_gradients():
  numbers = torch_step.Optimization()
  rng = np.random.default_rng(0)
  params, target, *grads = (
    {
      "linear": {
        "w": rng.normal(size=(3, 2)).astype(np.float32),
        "b": rng.normal(size=2).astype(np.float32),
      }
    }
    for _ in range(4)
  )
  theirs = [
    [torch.from_numpy(np.copy(x)) for x in jax.tree.leaves(tree)]
    for tree in (params, target, *grads)
  ]
  momenta = [torch.zeros_like(x) for x in theirs[0]]
  optimizer = optimizers.lars(
    lambda step: numbers.learning_rate,
    numbers.weight_decay,
    numbers.momentum,
    numbers.trust_coefficient,
  )
  state = optimizer.init(params)
  for ours, other in zip(grads, theirs[2:], strict=True):
    updates, state = optimizer.update(ours, state, params)
    params = jax.tree.map(jnp.add, params, updates)
    target = byol.moving_average(target, params, numbers.target_decay)
    torch_step.apply_update(theirs[0], other, momenta, theirs[1])
  for tree, others in ((params, theirs[0]), (target, theirs[1])):
    for x, y in zip(jax.tree.leaves(tree), others, strict=True):
      np.testing.assert_allclose(x, y.numpy(), rtol=1e-5)


@pytest.mark.parametrize("encoder", ["resnet50"])
def test_pytorch_has_our_parameters(encoder):
  choice = our_step.Choice(encoder, "imagenet", 224, 4)
  shapes = assembly.state_shapes(our_step.make_config(choice), 0)
  with torch.device("meta"):
    network = torch_step.make_network(torch_step.Sizes(encoder, device="meta"))
  ours = sorted(x.size for x in jax.tree.leaves(shapes.online.params))
  assert len(ours) > 60
  assert sorted(x.numel() for x in network.parameters()) == ours


def test_pytorch_makes_our_operations():
  choice = our_step.Choice(
    "resnet8", "cifar", 32, 2, hidden=16, projection_dim=8, views="none"
  )
  ours = our_step.lower(choice, jax.devices()[:1]).cost_analysis()["flops"]
  step = torch_step.build(torch_step.Sizes("resnet8", "cifar", 16, 8))
  views = torch.zeros((2, 2, 32, 32, 3), dtype=torch.uint8)
  with flop_counter.FlopCounterMode(display=False) as counted:
    step(*views)
  # Ours have the sums of the norms too, and no products with the padding.
  assert counted.get_total_flops() == pytest.approx(ours, rel=0.05)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_pytorch_learns(dtype):
  torch.manual_seed(0)
  sizes = torch_step.Sizes("one_conv", "cifar", 16, 8, dtype=dtype)
  step = torch_step.build(sizes)
  views = torch.rand((2, 16, 8, 8, 3))
  values = [float(step(*views)) for _ in range(8)]
  assert 1.0 < values[0] < 7.0
  assert values[-1] < values[0] - 0.05
